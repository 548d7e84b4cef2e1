//! The reasons that only QEMU's container gives. Where a device's own bytes are wrong, its vendor says so.

crate::catalogue! { CATALOGUE;
    TRUNCATED: "qemu.truncated", Truncated,
        "the migration stream ends early",
        "send the whole stream, or save it again; a file that a full disk cut short cannot be mended";
    VERSION: "qemu.version", Unrecognized,
        "the migration stream has a version other than 3",
        "update transire; QEMU itself has refused every other version since 2009";
    CONFIGURATION: "qemu.configuration", Corrupt,
        "the configuration section is malformed",
        "the stream was damaged: save it again";
    CONFIGURATION_UNKNOWN: "qemu.configuration-unknown", Unrecognized,
        "the configuration section has a part that is not known here, and nothing says how long it is",
        "update transire";
    SECTION_TYPE: "qemu.section-type", Corrupt,
        "a byte stands where a section begins and is none of the types of QEMU",
        "the stream was damaged before this place: save it again";
    SECTION_NAME: "qemu.section-name", Corrupt,
        "the identity string of a section is empty or holds bytes that are not printable ASCII",
        "the stream was damaged: save it again";
    SECTION_UNBOUND: "qemu.section-unbound", Corrupt,
        "a section goes on that was never started; QEMU refuses it too",
        "the stream was damaged or put together wrongly: save it again";
    SECTION_REBOUND: "qemu.section-rebound", Corrupt,
        "a section id comes again with another identity than it was bound to",
        "the stream was damaged or put together wrongly: save it again";
    SECTION_ORDER: "qemu.section-order", Corrupt,
        "a section comes where no QEMU writes one: started twice, after its end, whole before the live ones have ended, or of a VFIO device when the guest runs by postcopy; QEMU does not check that",
        "the stream was put together wrongly: save it again";
    SECTION_VERSION: "qemu.section-version", Unrecognized,
        "a section of RAM, of dirty bitmaps or of a VFIO device has a version that is not known here",
        "update transire";
    SECTIONS: "qemu.sections", Corrupt,
        "the stream has more sections than any machine has devices",
        "the stream was damaged or forged: do not load it";
    FOOTER: "qemu.footer", Corrupt,
        "the footer of a section is not there, or names another section",
        "the stream was damaged: save it again";
    UNSIZED: "qemu.unsized", Unknown,
        "nothing says where this section ends: the stream has neither footers nor a description",
        "save the device with a machine type later than 2.3, or give the whole file";
    SEARCHED: "qemu.searched", Compatible,
        "the end of sections was found by looking for their footers, as nothing says how long they are",
        "nothing; give the whole file, so that its description decides";
    WITHHELD: "qemu.withheld", Unknown,
        "more bytes follow a place that a destination could take for the end of the stream than a gate withholds",
        "migrate into a file and verify that: its description says where every section ends";
    COMMAND: "qemu.command", Unrecognized,
        "a command is not known here",
        "update transire";
    COMMAND_LENGTH: "qemu.command-length", Corrupt,
        "a command has a length that it does not have in QEMU",
        "the stream was damaged: save it again";
    PACKAGE: "qemu.package", Corrupt,
        "the package of postcopy is malformed: it ends inside a section, or holds another package, an end or a live section",
        "the stream was damaged: migrate again";
    RAM_FLAGS: "qemu.ram-flags", Corrupt,
        "a record of RAM has flags that no QEMU writes",
        "the stream was damaged before this place: save it again";
    RAM_BLOCK: "qemu.ram-block", Corrupt,
        "a record of RAM names a block that was not announced, or goes on with none",
        "the stream was damaged: save it again";
    RAM_OFFSET: "qemu.ram-offset", Corrupt,
        "a page lies outside its block of RAM",
        "the stream was damaged: save it again";
    RAM_LENGTH: "qemu.ram-length", Corrupt,
        "a record of RAM has a length, an encoding or a fill byte that it cannot have",
        "the stream was damaged: save it again";
    RAM_BLOCKS: "qemu.ram-blocks", Corrupt,
        "the list of RAM blocks is malformed: a name twice, lengths that do not add up, or more blocks than any machine has",
        "the stream was damaged or forged: save it again";
    MAPPED_RAM: "qemu.mapped-ram", Corrupt,
        "the place of a block's bitmap or pages in the file cannot be right; QEMU does not check that",
        "the file was damaged, or does not begin where it is said to: give the offset at which the stream begins";
    BITMAP_FLAGS: "qemu.bitmap-flags", Corrupt,
        "a chunk of dirty bitmaps has flags that no QEMU writes",
        "the stream was damaged before this place: save it again";
    BITMAP_NAME: "qemu.bitmap-name", Corrupt,
        "a chunk of dirty bitmaps has no name, or that of a bitmap that was not started, or was before; where QEMU does not fail, it completes without the bitmaps",
        "the stream was damaged or put together wrongly: save it again";
    BITMAP_START: "qemu.bitmap-start", Corrupt,
        "a dirty bitmap has a granularity or flags that it cannot have, or is one more than any machine has",
        "the stream was damaged or forged: save it again";
    BITMAP_LENGTH: "qemu.bitmap-length", Corrupt,
        "a piece of a dirty bitmap is longer than any that QEMU reads",
        "the stream was damaged: save it again";
    BITMAP_BITS: "qemu.bitmap-bits", Corrupt,
        "a piece of a dirty bitmap is missing, comes twice, or has a place or a length that it cannot have; QEMU looks at some of that only",
        "the stream was damaged or put together wrongly: save it again";
    BITMAP_UNFINISHED: "qemu.bitmap-unfinished", Corrupt,
        "a dirty bitmap was started and not completed; QEMU completes, and the bitmap stays locked",
        "the stream was put together wrongly: save it again";
    END_OF_FILE: "qemu.unfinished", Corrupt,
        "the stream ends as if complete, and a section that was started never ended",
        "the stream was put together wrongly: save it again";
    DESCRIPTION: "qemu.description", Corrupt,
        "the stream's description of itself disagrees with its sections",
        "sections were left out, added or changed: save it again";
    DESCRIPTION_MALFORMED: "qemu.description-malformed", Corrupt,
        "the stream's description of itself is no JSON, or longer or deeper than any QEMU writes",
        "the stream was damaged: save it again";
    DESCRIPTION_MISSING: "qemu.description-missing", Compatible,
        "the stream has no description of itself, as after postcopy or with suppress-vmdesc",
        "nothing; the ends of the other devices' sections rest on their footers alone";
    PADDING: "qemu.padding", Compatible,
        "zero bytes follow the end",
        "nothing; block devices and padded files have them";
    TRAILING: "qemu.trailing", Corrupt,
        "bytes follow the end; QEMU does not read them",
        "the stream was put together wrongly: save it again";
    VFIO_TAG: "qemu.vfio-tag", Corrupt,
        "a record of a VFIO device begins with bytes that are no tag: what came before it has a wrong length",
        "the stream was damaged: save it again";
    VFIO_TAG_UNKNOWN: "qemu.vfio-tag-unknown", Unrecognized,
        "a record of a VFIO device has a tag that is not known here",
        "update transire";
    VFIO_RECORD: "qemu.vfio-record", Corrupt,
        "a record of a VFIO device stands where it cannot",
        "the stream was damaged or put together wrongly: save it again";
    VFIO_SIZE: "qemu.vfio-size", Corrupt,
        "a record of device data is longer than any QEMU writes; it would be handed to the driver as it is",
        "the stream was damaged: save it again";
    VFIO_EMPTY: "qemu.vfio-empty", Compatible,
        "a record of device data holds no data; QEMU writes none such since 8.0",
        "look at the source: data may have been taken out";
    VFIO_CONFIG: "qemu.vfio-config", Corrupt,
        "the configuration record of a VFIO device is malformed, or its end is not where its parts say",
        "the stream was damaged: save it again";
    DEVICE_ORDER: "qemu.device-order", Corrupt,
        "a part of a VFIO device's state comes before or after where it belongs; QEMU does not check that",
        "the stream was put together wrongly: save it again";
    DEVICE_TRUNCATED: "qemu.device-truncated", Truncated,
        "the stream of a VFIO device lacks its start or its end",
        "save it again; with multifd, give the files of all channels";
    DEVICE_NO_DATA: "qemu.device-no-data", Truncated,
        "a VFIO device is in the stream without any data; QEMU completes, and the device keeps what it held before",
        "save it again; with multifd, give the files of all channels";
    DEVICE_NO_STOP_COPY: "qemu.device-no-stop-copy", Compatible,
        "nothing was saved of a VFIO device after the guest was stopped",
        "look at what the vendor's own check says; data may have been taken out";
    DEVICE_NO_CONFIG: "qemu.device-no-config", Truncated,
        "the PCI configuration of a VFIO device is not in the stream; QEMU completes without it",
        "save it again; with multifd, give the files of all channels";
    DEVICE_MISSING: "qemu.device-missing", Incompatible,
        "the target has a VFIO device that the stream does not mention; QEMU completes, and it keeps what it held before",
        "save the device with its machine, or take it out of the target";
    DEVICE_UNEXPECTED: "qemu.device-unexpected", Incompatible,
        "the stream has a VFIO device that none of the targets is for; a QEMU without it fails to load the stream",
        "give the target a device at that place, and name it: DEVICE=TARGET";
    DEVICE_CONFIG_DIFFERS: "qemu.device-config-differs", Incompatible,
        "the PCI configuration in the stream is that of another device than the target's",
        "give the target a device of the same kind";
    INDEX_GAP: "qemu.index-gap", Truncated,
        "a multifd packet of device state is missing",
        "give the files of all channels; the destination would wait for it for ever";
    INDEX_REPEATED: "qemu.index-repeated", Corrupt,
        "two multifd packets of device state have the same index",
        "the stream was put together wrongly: save it again";
    INDEX_BEYOND: "qemu.index-beyond", Corrupt,
        "a multifd packet of device state comes behind the last index; QEMU keeps it and never uses it",
        "the stream was put together wrongly: save it again";
    EXTENTS: "qemu.extents", Corrupt,
        "the stream has more devices, or cuts their state into more records, than is kept track of",
        "the stream was damaged or forged: do not load it";
    MULTIFD: "qemu.multifd", Corrupt,
        "the head of a multifd packet is malformed",
        "the channel was damaged: migrate again";
    MULTIFD_VERSION: "qemu.multifd-version", Unrecognized,
        "a multifd packet has a version or flags that are not known here",
        "update transire";
    RETURN_PATH: "qemu.return-path", Corrupt,
        "a message of the return path is none that QEMU sends",
        "these bytes go from the destination to the source, and hold no device state";
    REFUSED: "qemu.refused", Incompatible,
        "QEMU would fail to load this stream",
        "`transire verify --standard strict` says what is wrong with it";
    STALE: "qemu.stale", Incompatible,
        "QEMU would complete, and the device would keep what it held before",
        "`transire verify --standard strict` says what is wrong with the stream";
    DEPENDS: "qemu.depends", Unknown,
        "what QEMU would do depends on more than the stream and the target",
        "the reason names what it depends on";
}
