//! What the loop draws on: a real terminal, or a buffer where tests look at it.

use std::io;

use ratatui::Frame;
use ratatui::layout::Size;

/// What the loop draws on.
pub trait Stage {
    /// Draws a frame; returns whether anything of it is new, and goes out. Called only while the stage is free.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<bool>;

    /// Whether the last frame has gone out, so that another one may be drawn.
    fn is_free(&self) -> bool;

    /// Waits until the last frame has gone out. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn freed(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Looks at how large the terminal is now.
    fn measure(&mut self) -> Size;

    /// Forgets what is on the terminal: the next frame is drawn whole.
    fn forget(&mut self);

    /// Gives the terminal back, stops the process, and takes the terminal again once it goes on.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn suspend(&mut self) -> io::Result<()>;
}
