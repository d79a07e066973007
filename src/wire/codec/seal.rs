//! Packing a body behind its envelope, and the checksum behind both.

use std::borrow::Cow;
use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

use super::{EncodeError, Flaw, MAX_BODY_BYTES};

/// A level above 3 makes batches hardly smaller and costs many times as much.
const LEVEL: i32 = 3;
/// A section shorter than this is not worth a frame.
const MIN_PACKED: usize = 48;
const CHECKSUM_BYTES: usize = 4;

/// What every zstd frame begins with; it does not travel.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The parts of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sections<'a> {
    pub(super) numbers: Cow<'a, [u8]>,
    pub(super) texts: Cow<'a, [u8]>,
    pub(super) bits: Cow<'a, [u8]>,
}

/// Puts the sections and the checksum behind an envelope.
pub(super) fn seal(mut message: Vec<u8>, sections: &Sections<'_>) -> Result<Vec<u8>, EncodeError> {
    let all = [&sections.numbers, &sections.texts, &sections.bits];
    let last = all.iter().rposition(|section| !section.is_empty());
    for section in &all[..last.map_or(0, |last| last + 1)] {
        let packed = if section.len() < MIN_PACKED {
            None
        } else {
            let frame = pack(section)?;
            (frame.len() < section.len()).then_some(frame)
        };
        let bytes = packed.as_deref().unwrap_or(section.as_ref());
        let mut head = [0; 10];
        let tag = 2 * bytes.len() as u64 + u64::from(packed.is_some());
        let head = postcard::to_slice(&tag, &mut head).map_err(|_| EncodeError::Packing)?;
        message.extend_from_slice(head);
        message.extend_from_slice(bytes);
    }
    let checksum = checksum(&message);
    message.extend_from_slice(&checksum);
    Ok(message)
}

thread_local! {
    /// Made once for each thread, because what it works in is large: with a new one for each message, much of the time goes into clearing it.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    /// The same for the way back.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn pack(section: &[u8]) -> Result<Vec<u8>, EncodeError> {
    PACKER.with_borrow_mut(|packer| {
        let packer = match packer {
            Some(packer) => packer,
            None => packer.insert(Compressor::new(LEVEL).map_err(|_| EncodeError::Packing)?),
        };
        let mut frame = packer.compress(section).map_err(|_| EncodeError::Packing)?;
        if !frame.starts_with(&MAGIC) {
            return Err(EncodeError::Packing);
        }
        frame.drain(..MAGIC.len());
        Ok(frame)
    })
}

/// Takes the sections out of `sealed`, the part of `message` behind the envelope.
pub(super) fn open<'a>(message: &[u8], sealed: &'a [u8]) -> Result<Sections<'a>, Flaw> {
    let (covered, sum) = message.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Flaw::Short)?;
    let (sections, _) = sealed.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Flaw::Short)?;
    if *sum != checksum(covered) {
        return Err(Flaw::Checksum);
    }
    let (numbers, rest) = section(sections, MAX_BODY_BYTES)?;
    let room = MAX_BODY_BYTES - numbers.len();
    let (texts, rest) = section(rest, room)?;
    let (bits, rest) = section(rest, room - texts.len())?;
    if !rest.is_empty() {
        return Err(Flaw::Trailing);
    }
    Ok(Sections { numbers, texts, bits })
}

/// Takes the first section off; it has at most `room` bytes when unpacked. Behind the last one all are empty.
fn section(bytes: &[u8], room: usize) -> Result<(Cow<'_, [u8]>, &[u8]), Flaw> {
    if bytes.is_empty() {
        return Ok((Cow::Borrowed(bytes), bytes));
    }
    let (tag, rest) = postcard::take_from_bytes::<u64>(bytes).map_err(|_| Flaw::Short)?;
    let length = usize::try_from(tag / 2).map_err(|_| Flaw::Short)?;
    let (bytes, rest) = rest.split_at_checked(length).ok_or(Flaw::Short)?;
    let section = if tag % 2 == 0 {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(unpack(bytes, room)?)
    };
    if section.len() > room {
        return Err(Flaw::TooLarge);
    }
    Ok((section, rest))
}

fn unpack(frame: &[u8], room: usize) -> Result<Vec<u8>, Flaw> {
    let frame = [&MAGIC, frame].concat();
    let size = zstd_safe::get_frame_content_size(&frame)
        .ok()
        .flatten()
        .ok_or(Flaw::Packing)?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= room)
        .ok_or(Flaw::TooLarge)?;
    let bytes = UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(Decompressor::new().map_err(|_| Flaw::Packing)?),
        };
        unpacker.decompress(&frame, size).map_err(|_| Flaw::Packing)
    })?;
    if bytes.len() == size {
        Ok(bytes)
    } else {
        Err(Flaw::Packing)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = *blake3::hash(bytes).as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(numbers: &[u8], texts: &[u8]) -> Sections<'static> {
        Sections {
            numbers: Cow::Owned(numbers.to_vec()),
            texts: Cow::Owned(texts.to_vec()),
            bits: Cow::Owned(Vec::new()),
        }
    }

    #[test]
    fn sections_come_out_as_they_went_in() {
        for (numbers, texts) in [
            (vec![], vec![]),
            (vec![1; 9_000], b"abc".to_vec()),
            (vec![7], vec![9; 47]),
        ] {
            for bits in [vec![], vec![6; 5]] {
                let mut body = sections(&numbers, &texts);
                body.bits = bits.into();
                let sealed = seal(b"HEAD".to_vec(), &body).unwrap();
                assert_eq!(open(&sealed, &sealed[4..]), Ok(body));
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_by_its_size_before_it_is_unpacked() {
        let bomb = sections(&vec![0; MAX_BODY_BYTES + 1], b"");
        let sealed = seal(Vec::new(), &bomb).unwrap();
        assert!(sealed.len() < 2_000);
        assert_eq!(open(&sealed, &sealed), Err(Flaw::TooLarge));
        let two = sections(&vec![0; MAX_BODY_BYTES - 9], &[0; 100]);
        let sealed = seal(Vec::new(), &two).unwrap();
        assert_eq!(open(&sealed, &sealed), Err(Flaw::TooLarge));
    }

    #[test]
    fn damage_and_leftovers_are_noticed() {
        let body = sections(&[5; 100], b"abc");
        let sealed = seal(b"HEAD".to_vec(), &body).unwrap();
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(open(&damaged, &damaged[4..]), Err(Flaw::Checksum), "byte {at}");
        }
        let mut longer = sealed[..sealed.len() - CHECKSUM_BYTES].to_vec();
        // An empty third section, and one more.
        longer.extend([0, 0]);
        let sum = checksum(&longer);
        longer.extend(sum);
        assert_eq!(open(&longer, &longer[4..]), Err(Flaw::Trailing));
    }
}
