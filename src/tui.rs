//! The branch's terminal. To be continued.
pub mod decode;
pub mod desk;
pub mod key;
pub mod keymap;
pub mod model;
pub mod theme;
pub mod update;
pub mod view;
