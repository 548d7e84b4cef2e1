//! Writes a sealed stream: the mirror of the reader.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{DEVICE_LABEL, DIGEST, OwnedValue, PAYLOAD_FORMAT, PAYLOAD_LEN, STREAM_ID, Text, Value};
use crate::bytes::index;
use crate::format::Phase;
use crate::profile::{Profile, ProfileBuilder};
use crate::prologue::{Content, Prologue};

use super::{ABORT_MAX, Count, Digest, FRAME_HEAD, FRAME_MAX, FrameHead, FrameKind, Order, Running};

/// What a sealed stream says of itself.
#[derive(Clone, Debug)]
pub struct SealOptions {
    /// Name of the payload's format, or [`super::OPAQUE`].
    pub payload_format: String,
    /// The digest at the end.
    pub digest: Digest,
    /// Exact bytes of payload, where known beforehand.
    pub payload_len: Option<u64>,
    /// The identity of the stream: 16 fresh random bytes. Without it frames of two identical devices could be
    /// exchanged.
    pub stream_id: [u8; 16],
    /// Which device of the virtual machine.
    pub device_label: Option<String>,
}

/// Why a stream cannot be sealed, or a frame not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The header would be longer than 65,536 bytes.
    HeaderTooLong,
    /// A name is empty, longer than 1,024 bytes, or has characters that cannot be shown.
    Text,
    /// A frame carries 1 to 1,048,576 bytes.
    PayloadLength,
    /// The phase may not follow the one before.
    Phase,
    /// No number is left for another frame.
    Sequence,
    /// The stream has ended or was aborted.
    Ended,
    /// Another number of bytes came than was announced.
    Announced,
    /// The payload format is not known here, or is another vendor's than the profile's.
    PayloadFormat,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderTooLong => "the header would be longer than 65536 bytes",
            Self::Text => "a text must have 1 to 1024 bytes and no invisible characters",
            Self::PayloadLength => "a frame carries 1 to 1048576 bytes",
            Self::Phase => "the phase may not follow the one before",
            Self::Sequence => "no number is left for another frame",
            Self::Ended => "the stream has ended",
            Self::Announced => "another number of bytes came than was announced",
            Self::PayloadFormat => "the payload format is not known, or is another vendor's than the profile's",
        })
    }
}

impl core::error::Error for SealError {}

/// Writes a sealed stream, frame by frame. Payload is not kept, but for what the digest waits with: the caller writes
/// each head and then the bytes.
#[derive(Debug)]
pub struct SealedWriter {
    prologue_crc: u32,
    stream_id: [u8; 16],
    running: Running,
    order: Order,
    count: Count,
    announced: Option<u64>,
    ended: bool,
}

impl SealedWriter {
    /// Begins a stream: the writer, and the bytes of prologue and header, which are sent before the first byte of the
    /// device is read.
    pub fn begin(profile: &Profile, options: &SealOptions) -> Result<(Self, Vec<u8>), SealError> {
        let text = |text| Text::new(text).map(|text| Value::Text(text).to_owned()).ok_or(SealError::Text);
        let mut builder = ProfileBuilder::new();
        for attribute in profile.header().attributes() {
            builder.set_raw(attribute.id, attribute.type_code, attribute.bytes);
        }
        builder.set(PAYLOAD_FORMAT, &text(&options.payload_format)?);
        builder.set(DIGEST, &Value::Uint(options.digest.code()).to_owned());
        if let Some(length) = options.payload_len {
            builder.set(PAYLOAD_LEN, &Value::Uint(length).to_owned());
        }
        let id: OwnedValue = Value::Bytes(&options.stream_id).to_owned();
        builder.set(STREAM_ID, &id);
        if let Some(label) = &options.device_label {
            builder.set(DEVICE_LABEL, &text(label)?);
        }
        let header = builder.header().ok_or(SealError::HeaderTooLong)?;
        let prologue = Prologue::of(Content::Sealed, &header).ok_or(SealError::HeaderTooLong)?;
        let mut bytes = prologue.write().to_vec();
        bytes.extend_from_slice(&header);
        let mut running = Running::new(options.digest);
        running.update(&bytes);
        let writer = Self {
            prologue_crc: prologue.crc,
            stream_id: options.stream_id,
            running,
            order: Order::default(),
            count: Count::START,
            announced: options.payload_len,
            ended: false,
        };
        Ok((writer, bytes))
    }

    /// The head of a data frame; the caller writes it and then `payload`.
    pub fn data(&mut self, phase: Phase, payload: &[u8]) -> Result<[u8; FRAME_HEAD], SealError> {
        if !(1..=index(FRAME_MAX)).contains(&payload.len()) {
            return Err(SealError::PayloadLength);
        }
        let mut order = self.order;
        if !order.follow(phase) {
            return Err(SealError::Phase);
        }
        // The last number is kept for the frame that ends the stream.
        if self.count.sequence == Some(u32::MAX) {
            return Err(SealError::Sequence);
        }
        let head = self.head(FrameKind::Data(phase), payload)?;
        self.order = order;
        self.running.update(&head);
        self.running.update(payload);
        self.count.frame(payload.len());
        Ok(head)
    }

    /// The end frame.
    pub fn end(&mut self) -> Result<Vec<u8>, SealError> {
        if self.announced.is_some_and(|announced| announced != self.count.total) {
            return Err(SealError::Announced);
        }
        let mut payload = self.count.total.to_le_bytes().to_vec();
        if let Some(digest) = self.running.finish() {
            payload.extend_from_slice(&digest);
        }
        self.last(FrameKind::End, &payload)
    }

    /// An abort frame: the source gives up. A reason that is no text, or too long for one, is left out.
    pub fn abort(&mut self, reason: &str) -> Result<Vec<u8>, SealError> {
        let fits = reason.len() <= index(ABORT_MAX) && Text::new(reason).is_some();
        self.last(FrameKind::Abort, if fits { reason.as_bytes() } else { &[] })
    }

    /// Payload bytes so far.
    pub const fn total(&self) -> u64 {
        self.count.total
    }

    /// Checksum of the prologue that was sent: with [`SealedWriter::stream_id`], what an answer names the stream by.
    pub const fn prologue_crc(&self) -> u32 {
        self.prologue_crc
    }

    /// The identity that the stream was given.
    pub const fn stream_id(&self) -> [u8; 16] {
        self.stream_id
    }

    fn last(&mut self, kind: FrameKind, payload: &[u8]) -> Result<Vec<u8>, SealError> {
        let head = self.head(kind, payload)?;
        self.ended = true;
        Ok([&head[..], payload].concat())
    }

    fn head(&self, kind: FrameKind, payload: &[u8]) -> Result<[u8; FRAME_HEAD], SealError> {
        if self.ended {
            return Err(SealError::Ended);
        }
        let number = self.count.sequence.ok_or(SealError::Sequence)?;
        Ok(FrameHead::of(kind, number, payload, self.prologue_crc).write())
    }
}
