//! Save images of libvirt: headers made as libvirt makes them, around real streams.

#[path = "qemu/walk.rs"]
mod walk;

use transire_core::containers::libvirt::{Format, HEADER_LEN, MAGIC, MAGIC_PARTIAL, Opened, SaveImage, likeness};
use transire_core::containers::qemu::QemuReader;
use transire_core::format::Likeness;
use transire_core::verdict::Datum;
use walk::{at, capture, walk};

const XML: &[u8] = b"<domain type='qemu'><name>one</name></domain>\0";
const COOKIE: &[u8] = b"<qemusave/>\0";

/// A header, and XML, cookie and padding behind it.
fn image(magic: [u8; 16], numbers: [u32; 5], big_endian: bool) -> Vec<u8> {
    let bytes = numbers.iter().flat_map(|number| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    let mut image = magic.to_vec();
    image.extend(bytes);
    image.resize(HEADER_LEN, 0);
    image.extend_from_slice(XML);
    image.extend_from_slice(COOKIE);
    image.resize(HEADER_LEN + 1000, 0);
    image
}

fn numbers(format: u32) -> [u32; 5] {
    [2, 1000, 1, format, u32::try_from(XML.len()).unwrap()]
}

fn open(bytes: &[u8]) -> SaveImage {
    match SaveImage::open(bytes, false) {
        Opened::Image(image) => image,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_in_a_save_image_is_walked_where_it_stands() {
    for big_endian in [false, true] {
        let mut bytes = image(MAGIC, numbers(0), big_endian);
        bytes.extend(capture("qemu-vfio/pc-mtty1.stream"));
        let header = open(&bytes);
        assert!(header.is_finished && header.was_running && header.finding().is_none());
        assert_eq!((header.is_big_endian, header.format, header.stream_offset()), (big_endian, Format::Raw, 1092));
        let (xml, cookie) = header.documents(&bytes[HEADER_LEN..]);
        assert_eq!((xml, cookie), (&XML[..XML.len() - 1], Some(&COOKIE[..COOKIE.len() - 1])));
        let start = at(header.stream_offset());
        let mut reader = QemuReader::main().beginning_at(header.stream_offset());
        let walk = walk(&mut reader, &bytes[start..]);
        assert_eq!((walk.wrong(), reader.offset()), (vec![], bytes.len() as u64));
        assert_eq!(walk.data[0].offset, 1092 + 218);
    }
}

/// mapped-ram's offsets count from the beginning of the file: a stream that was written at 0x1000 fits behind a header of
/// as many bytes.
#[test]
fn a_sparse_image_has_mapped_ram_at_its_places_in_the_file() {
    let captured = capture("qemu/q100-mapped-ram-off.bin.xz");
    let mut bytes = image(MAGIC, [2, 0x1000 - 92, 0, 6, 0], false);
    bytes.resize(0x1000, 0);
    bytes.extend_from_slice(&captured[0x1000..]);
    let header = open(&bytes);
    assert_eq!((header.format, header.finding()), (Format::Sparse, None));
    let mut reader = QemuReader::main().beginning_at(header.stream_offset());
    let all = walk(&mut reader, &bytes[0x1000..]);
    assert_eq!((all.wrong(), reader.ram().mapped_blocks), (vec![], 6));
    // Read as if it began elsewhere, the places cannot be right.
    let mut reader = QemuReader::main().beginning_at(0x20_0000);
    let all = walk(&mut reader, &bytes[0x1000..]);
    assert_eq!(all.failed.map(|reason| reason.id.text()), Some("qemu.mapped-ram"));
}

#[test]
fn a_version_that_is_not_known_is_given_as_it_stands() {
    let [_, rest @ ..] = numbers(0);
    for (version, found) in [(3, 3), (9, 9), (0x0300_0000, 0x0300_0000)] {
        let [data_len, was_running, format, cookie] = rest;
        let bytes = image(MAGIC, [version, data_len, was_running, format, cookie], false);
        let Opened::Refused(reason) = SaveImage::open(&bytes, true) else { panic!("{version}") };
        assert_eq!((reason.id.text(), reason.found), ("libvirt.version", Datum::Wire(found)));
    }
}

#[test]
fn headers_that_are_wrong_are_named() {
    let of = |bytes: &[u8]| match SaveImage::open(bytes, true) {
        Opened::Refused(reason) => (reason.id.text(), reason.offset().unwrap()),
        other => panic!("{other:?}"),
    };
    let good = image(MAGIC, numbers(0), false);
    for length in 0..HEADER_LEN {
        assert_eq!(of(&good[..length]), ("libvirt.truncated", length as u64));
        assert_eq!(SaveImage::open(&good[..length], false), Opened::Need(HEADER_LEN));
    }
    assert_eq!(of(b"LibvirtQemudSavf"), ("magic.unrecognized", 0));
    let with = |position: usize, number: u32| {
        let mut numbers = numbers(0);
        numbers[position] = number;
        of(&image(MAGIC, numbers, false))
    };
    assert_eq!(with(0, 0), ("libvirt.version", 16));
    assert_eq!(with(1, 0), ("libvirt.data-length", 20));
    assert_eq!(with(1, u32::MAX), ("libvirt.data-length", 20));
    assert_eq!(with(3, 7), ("libvirt.format", 28));
    assert_eq!(with(4, 1000), ("libvirt.data-length", 32));
    // A version of neither byte order.
    assert_eq!(with(0, 0x0300_0000), ("libvirt.version", 16));

    let finding = |bytes: &[u8]| open(bytes).finding().map(|reason| reason.id.text());
    assert_eq!(finding(&image(MAGIC_PARTIAL, numbers(0), false)), Some("libvirt.unfinished"));
    for format in Format::ALL {
        let expected = (!format.is_plain()).then_some("libvirt.compressed");
        assert_eq!(finding(&image(MAGIC, numbers(format as u32), false)), expected, "{}", format.name());
    }
    assert_eq!(likeness(b"Libvirt"), Likeness::Short);
    assert_eq!(likeness(b"LibvirtQemudPart...."), Likeness::Certain);
    assert_eq!(likeness(b"LibvirtXemud"), Likeness::No);
}
