/*
 * transire: codec and validator for the migration streams of assigned devices.
 *
 * docs/guides/embedding.md shows the whole use; examples/migrate.c is a program that does it.
 *
 * Rules that hold for every function:
 * - Handles come from the functions that say so, go to the one that frees them, and are good between the two. A profile,
 *   a target, an answer and a verdict of transire_check never change and can be used by any number of threads at once; a
 *   gate or a sealing, and its verdict with it, is used by one thread at a time, whichever. Handles of different threads
 *   share nothing that changes.
 * - Buffers are the caller's. What is handed out lies in the handle, in the caller's own buffer, or is static; the
 *   comment says which, and how long it is good. Input must not change while a call looks at it, and what a call writes
 *   to must be neither its input nor another of its results.
 * - A function that can fail returns a transire_status, and writes its results only with TRANSIRE_OK, unless its comment
 *   says otherwise. NULL where it is not allowed, and numbers that are not listed, are TRANSIRE_INVALID_ARGUMENT; a
 *   pointer that is neither NULL nor good cannot be told. What a bad stream or a bad pair comes to is no failure but a
 *   verdict. What errno holds behind a call says nothing.
 * - Structures that begin with `size` are the caller's, who sets it (and zeroes the rest of what goes in). Later versions
 *   add fields at the end only, so programs and libraries of different versions go together.
 * - Nothing unwinds or jumps out of a call, and nothing is printed, but for a message on standard error where a bug in
 *   the library was caught. There are no globals to set up, no threads, no files, no signals, no locale.
 * - Memory that is not there is TRANSIRE_NO_MEMORY where the call says so. It is asked for beforehand; if another thread
 *   takes it in between, the process ends, as Rust's allocation does. A gate needs none from its early verdict on, for
 *   its answers neither.
 */

#ifndef TRANSIRE_H
#define TRANSIRE_H

/* Generated from the sources of crates/transire-capi: do not edit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Number of the binary interface, in the name of the shared library: a program that was built against another number
// cannot use this one.
#define TRANSIRE_ABI_MAJOR 0

// Raised by one in a release that adds to the binary interface without a break. A program runs with this library where
// its header has the same major number and a minor number that is not above the library's.
#define TRANSIRE_ABI_MINOR 0

// The canonical bytes of a profile: a prologue and a header.
#define TRANSIRE_FORM_CANONICAL 1

// One line of text: `transire1.` and base64url, without a line end.
#define TRANSIRE_FORM_LINE 2

// JSON, indented.
#define TRANSIRE_FORM_JSON 3

// TOML.
#define TRANSIRE_FORM_TOML 4

// Whatever is recognised may come in.
#define TRANSIRE_INPUT_AUTO 0

// Only a sealed stream may come in.
#define TRANSIRE_INPUT_SEALED 1

// Only a native stream may come in.
#define TRANSIRE_INPUT_NATIVE 2

// Other bytes may follow the end of the stream on the same connection: what is behind it is not looked at. Without this
// flag they make the stream corrupt, and it is complete only when `eof` was said.
#define TRANSIRE_GATE_FOLLOWED 1

// A fixable stream is delivered: the caller has made the settings, or will before the device runs.
#define TRANSIRE_GATE_ADMIT_FIXABLE 2

// An unknown stream is delivered.
#define TRANSIRE_GATE_ADMIT_UNKNOWN 4

// Read on after a verdict that does not admit the stream, to see whether it is damaged besides. Nothing is delivered.
#define TRANSIRE_GATE_READ_ON 8

// Nothing can be said before the input holds `need` bytes, counted from behind the `used` ones, or ends.
#define TRANSIRE_GATE_NEED 1

// A verdict from a source profile: the early one, or a later one where the stream states its source anew.
#define TRANSIRE_GATE_VERDICT 2

// Payload for the device: `payload_length` bytes at `payload`.
#define TRANSIRE_GATE_DELIVER 3

// Over: `complete` of `transire_gate_query` says how. Every further step says so again.
#define TRANSIRE_GATE_FINISHED 4

// In pre-copy: what comes first and identifies the source.
#define TRANSIRE_PHASE_INITIAL 1

// In pre-copy: what changed.
#define TRANSIRE_PHASE_ITERATIVE 2

// After the guest was stopped. No other phase follows it.
#define TRANSIRE_PHASE_STOP_COPY 3

// Not said. Stands alone: no other phase is in the same stream.
#define TRANSIRE_PHASE_UNSPECIFIED 4

// More follows: a frame goes out when it is full.
#define TRANSIRE_FLOW_MORE 0

// More follows, but what is there goes out now: the guest waits, or another phase follows.
#define TRANSIRE_FLOW_FLUSH 1

// Nothing follows: the stream ends behind this input.
#define TRANSIRE_FLOW_END 2

// No digest: the checksums of the frames catch accidents, not attackers.
#define TRANSIRE_DIGEST_NONE 1

// BLAKE3, 256 bits, over every byte before the end frame.
#define TRANSIRE_DIGEST_BLAKE3 2

// `payload_length` is announced in the header.
#define TRANSIRE_SEAL_ANNOUNCE 1

// Nothing goes out before the input holds `need` bytes, is flushed, or ends.
#define TRANSIRE_SEAL_NEED 1

// Bytes for the wire: first `head`, then `payload`.
#define TRANSIRE_SEAL_WRITE 2

// The input is flushed: everything that was given has gone out.
#define TRANSIRE_SEAL_FLUSHED 3

// Over: `complete` of `transire_seal_query` says whether the stream was sealed or aborted.
#define TRANSIRE_SEAL_FINISHED 4

// An answer that rests on what came so far: the verdict can still worsen.
#define TRANSIRE_ANSWER_EARLY 1

// An answer that rests on everything that came: the verdict stays.
#define TRANSIRE_ANSWER_FINAL 2

// The stream that a device was saved as.
#define TRANSIRE_ROLE_SOURCE 1

// What a target says of itself.
#define TRANSIRE_ROLE_TARGET 2

// An envelope around another format.
#define TRANSIRE_ROLE_ENVELOPE 3

// A file or connection that holds device streams among other things.
#define TRANSIRE_ROLE_CONTAINER 4

// An answer that was read: well formed, and not contradicting itself. Never changes, so any number of threads can use it
// at once.
typedef struct transire_answer transire_answer;

// A gate: bytes from the wire in, verdict first, payload for the device out. Nothing comes out before the early verdict
// admits the stream, and no sealed byte before its frame's checksum is right. One thread at a time may use it.
typedef struct transire_gate transire_gate;

// The attributes of a device. Never changes, so any number of threads can use it at once.
typedef struct transire_profile transire_profile;

// A sealing: bytes of a device in, a sealed stream out. One thread at a time may use it.
typedef struct transire_seal transire_seal;

// A device that streams are to be loaded into, and the terms on which it takes them. Never changes, so any number of
// threads can use it at once.
typedef struct transire_target transire_target;

// An outcome and its reasons. One from `transire_check` is the caller's to free; one of a gate or a sealing belongs to
// that handle, lives as long as it does, and says what is known when it is asked.
typedef struct transire_verdict transire_verdict;

// What became of a call: `TRANSIRE_OK`, or why nothing was done. Later minor versions may add codes: what a program does
// not know is a failure too.
typedef int32_t transire_status;

// What a verdict comes to. The numbers are the exit codes of the command line; 2 is none of them. No later version adds
// one.
typedef int32_t transire_outcome;

// UTF-8 text of a length: nothing ends it. `{NULL, 0}` is no text.
typedef struct transire_text {
    // The first byte.
    const char *bytes;
    // How many bytes there are.
    size_t length;
} transire_text;

// Why a verdict is what it is. `size` is set to `sizeof(transire_reason)` before the call.
typedef struct transire_reason {
    // `sizeof(transire_reason)`.
    size_t size;
    // Bytes that the texts below take in the caller's buffer, whether they fit or not.
    size_t needed;
    // What the reason makes of the verdict. A note leaves it at `TRANSIRE_COMPATIBLE`.
    transire_outcome outcome;
    // Number of the attribute that it is about, in its low 15 bits; 0 for none.
    uint16_t attribute_number;
    // Whether it has a place: `offset` and `length`.
    bool has_offset;
    // Whether `offset` counts from the beginning of a sealed stream's payload, not from that of the input.
    bool in_payload;
    // Offset of the first byte that it is about, in bytes.
    uint64_t offset;
    // How many bytes it is about; 0 for a place between two bytes.
    uint32_t length;
    // Not used, 0.
    uint32_t reserved;
    // The stable id: `pci_id.not-equal`, `header.crc`. `transire explain ID` and `docs/` tell more.
    struct transire_text id;
    // The attribute by name, or by number where nobody knows its name; none where it is about no attribute.
    struct transire_text attribute;
    // What the source has there, or none.
    struct transire_text found;
    // What it should have, or none.
    struct transire_text required;
    // One line for people, with all of the above. The wording may change with any version.
    struct transire_text text;
    // What can be done about it.
    struct transire_text remedy;
    // The ground that the target's file gives for a rule or an assertion of its own, or none.
    struct transire_text ground;
    // For `TRANSIRE_FIXABLE`: the path, below the target's device, of what has to be set; else none.
    struct transire_text set_path;
    // The value to set there, or none.
    struct transire_text set_value;
} transire_reason;

// How a gate goes about it. All zeros but for `size` is the usual way.
typedef struct transire_gate_options {
    // `sizeof(transire_gate_options)`.
    size_t size;
    // What may come in: `TRANSIRE_INPUT_AUTO`, `_SEALED` or `_NATIVE`.
    uint32_t input;
    // `TRANSIRE_GATE_FOLLOWED`, `_ADMIT_FIXABLE`, `_ADMIT_UNKNOWN` and `_READ_ON`, added up.
    uint32_t flags;
    // The time in seconds since 1970-01-01T00:00:00Z, for assertions that end; 0 where it is not known: then those do not
    // count.
    uint64_t now;
    // The native format that comes in, as `NAME` or `NAME:OPTION=VALUE`, where what is recognised does not do; none for
    // that. Not with `TRANSIRE_INPUT_SEALED`.
    struct transire_text format;
} transire_gate_options;

// What one step did. This structure never grows.
typedef struct transire_gate_event {
    // `TRANSIRE_GATE_NEED`, `_VERDICT`, `_DELIVER` or `_FINISHED`.
    uint32_t event;
    // Not used, 0.
    uint32_t reserved;
    // Bytes at the front of the input that are done with: the next step begins behind them.
    size_t used;
    // With `TRANSIRE_GATE_NEED`: how many bytes the next input must hold, unless it is the last.
    size_t need;
    // With `TRANSIRE_GATE_DELIVER`: the payload. It lies in the caller's input, or in the gate, and is good until the
    // next call with this gate, or until the caller changes the input.
    const uint8_t *payload;
    // Bytes at `payload`, at least 1.
    size_t payload_length;
} transire_gate_event;

// How far a gate is. `size` is set to `sizeof(transire_gate_state)` before the call.
typedef struct transire_gate_state {
    // `sizeof(transire_gate_state)`.
    size_t size;
    // Whether a source profile has been judged (or, without a target, read): the early verdict is there.
    bool judged;
    // Whether the gate takes no more input.
    bool finished;
    // Whether a stream was read to its end and nothing speaks against loading it. Only then may the device leave
    // RESUMING for running.
    bool complete;
    // Bytes of the input that are done with; once it is finished, where the stream ends.
    uint64_t used;
    // Bytes of the input, from its beginning, that the verdict rests on.
    uint64_t examined;
    // What came in: `sealed`, `profile`, `answer`, or the name of a native format; none before it is known. Static.
    struct transire_text format;
    // The native format of the stream or of the payload, or `opaque`; none before it is known. Good until the next
    // step.
    struct transire_text payload_format;
    // What the source said when it gave up, or none. Good until the next step.
    struct transire_text abort_text;
} transire_gate_state;

// What a sealed stream says of itself. `size`, `digest` and `stream_id` must be set.
typedef struct transire_seal_options {
    // `sizeof(transire_seal_options)`.
    size_t size;
    // `TRANSIRE_DIGEST_NONE` or `TRANSIRE_DIGEST_BLAKE3`.
    uint32_t digest;
    // `TRANSIRE_SEAL_ANNOUNCE`, or 0.
    uint32_t flags;
    // With `TRANSIRE_SEAL_ANNOUNCE`: the exact number of payload bytes. Another one makes the end
    // `TRANSIRE_NOT_AS_ANNOUNCED`.
    uint64_t payload_length;
    // The identity of the stream: 16 fresh random bytes, from `getrandom` or the like. Without it frames of two identical
    // devices could be exchanged. All zeros are taken for forgotten.
    uint8_t stream_id[16];
    // The native format of the payload, which is then checked on its way; none for `opaque`, which is not.
    struct transire_text payload_format;
    // Which device of the virtual machine, 1 to 1,024 bytes, or none.
    struct transire_text device_label;
} transire_seal_options;

// What one step did. This structure never grows.
typedef struct transire_seal_event {
    // `TRANSIRE_SEAL_NEED`, `_WRITE`, `_FLUSHED` or `_FINISHED`.
    uint32_t event;
    // Not used, 0.
    uint32_t reserved;
    // Bytes at the front of the input that are done with: the next step begins behind them.
    size_t used;
    // With `TRANSIRE_SEAL_NEED`: how many bytes fill a frame.
    size_t need;
    // With `TRANSIRE_SEAL_WRITE`: what goes out first. It lies in the sealing and is good until the next call with it.
    const uint8_t *head;
    // Bytes at `head`, at least 1.
    size_t head_length;
    // With `TRANSIRE_SEAL_WRITE`: what goes out behind `head`. It lies in the caller's input; NULL where there is
    // nothing.
    const uint8_t *payload;
    // Bytes at `payload`.
    size_t payload_length;
} transire_seal_event;

// How far a sealing is. `size` is set to `sizeof(transire_seal_state)` before the call.
typedef struct transire_seal_state {
    // `sizeof(transire_seal_state)`.
    size_t size;
    // Whether nothing more goes out.
    bool finished;
    // Whether the stream was sealed to its end.
    bool complete;
    // Payload bytes that have gone out.
    uint64_t total;
} transire_seal_state;

// What an answer says, but for its reasons. `size` is set to `sizeof(transire_answer_state)` before the call.
typedef struct transire_answer_state {
    // `sizeof(transire_answer_state)`.
    size_t size;
    // `TRANSIRE_ANSWER_EARLY` or `TRANSIRE_ANSWER_FINAL`.
    uint32_t stage;
    // The outcome of the target's verdict.
    transire_outcome outcome;
    // Whether the stream was read to its end and may be loaded. Only then can the guest run at the target; only a final
    // answer says so.
    bool complete;
    // The stream that it answers: the checksum of its prologue. `transire_seal_is_answered_by` compares it.
    uint32_t prologue_crc;
    // How many reasons it names.
    size_t reasons;
    // The stream that it answers: its `stream_id`. `transire_seal_is_answered_by` compares it.
    uint8_t stream_id[16];
    // The vendor that the stream's header names. Lies in the answer.
    struct transire_text vendor;
} transire_answer_state;

// One native format. `size` is set to `sizeof(transire_format)` before the call; all texts are static.
typedef struct transire_format {
    // `sizeof(transire_format)`.
    size_t size;
    // Whose bytes these are: `TRANSIRE_ROLE_SOURCE`, `_TARGET`, `_ENVELOPE` or `_CONTAINER`.
    uint32_t role;
    // Bytes from the start within which the early verdict is known; 0 where only the end tells.
    uint32_t judged_within;
    // Bytes that a gate must see at once before it releases any of them: of a stream, a record or a beginning.
    uint32_t hold;
    // Not used, 0.
    uint32_t reserved;
    // The name, as it is chosen by.
    struct transire_text name;
    // The vendor that it belongs to.
    struct transire_text vendor;
    // What it is, for people.
    struct transire_text title;
} transire_format;

// Done. What came of it is in what the function writes.
#define TRANSIRE_OK 0

// A pointer is NULL that must not be, a length is above `PTRDIFF_MAX`, a number is none of those listed, a text is no
// UTF-8, or a structure's `size` is not that of a known version. Nothing was changed.
#define TRANSIRE_INVALID_ARGUMENT 1

// The memory that the call may need is not there. Nothing was changed.
#define TRANSIRE_NO_MEMORY 2

// The caller's buffer is too small; how much is needed was written. Nothing was changed.
#define TRANSIRE_BUFFER_TOO_SMALL 3

// The bytes are no profile, no target or no answer; the message says what is wrong, and where.
#define TRANSIRE_MALFORMED 4

// Nothing has this number.
#define TRANSIRE_NOT_FOUND 5

// No format has this name or this option, or it is another vendor's than the profile's.
#define TRANSIRE_UNKNOWN_FORMAT 6

// A label is longer than 1,024 bytes, or has characters that cannot be shown.
#define TRANSIRE_BAD_LABEL 7

// The header of the sealed stream would be longer than 65,536 bytes.
#define TRANSIRE_HEADER_TOO_LONG 8

// This phase may not follow the one before.
#define TRANSIRE_BAD_PHASE 9

// Another number of payload bytes came than was announced.
#define TRANSIRE_NOT_AS_ANNOUNCED 10

// No number is left for another frame: 2^32 have gone out.
#define TRANSIRE_TOO_MANY_FRAMES 11

// The stream has ended already.
#define TRANSIRE_ENDED 12

// A bug in the library, which was stopped at its edge. The handle takes no more calls but the one that frees it.
#define TRANSIRE_INTERNAL 13

// A gate has no answer to give: not yet, or never, since no sealed stream came whose header is well formed.
#define TRANSIRE_NO_ANSWER 14

// Load it.
#define TRANSIRE_COMPATIBLE 0

// Well-formed, for another kind of device.
#define TRANSIRE_INCOMPATIBLE 1

// No format here knows it.
#define TRANSIRE_UNRECOGNIZED 3

// Damaged or hostile.
#define TRANSIRE_CORRUPT 4

// Ended early.
#define TRANSIRE_TRUNCATED 5

// Data are lacking.
#define TRANSIRE_UNKNOWN 6

// Load it after the settings that its reasons name are made on the target.
#define TRANSIRE_FIXABLE 7

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the binary interface of the library that is running: major number in the upper 16 bits, minor in the
// lower. Held against `TRANSIRE_ABI_MAJOR` and `TRANSIRE_ABI_MINOR` it says whether header and library fit.
uint32_t transire_abi_version(void);

// The version of the product that is running, such as `0.1.0`: NUL-terminated, static.
const char *transire_version(void);

// The name of a code, such as `invalid argument`; `unknown code` for any other number. NUL-terminated, static.
const char *transire_status_name(transire_status status);

// Reads a profile: canonical bytes, JSON, TOML or the one-line text, whichever the bytes are, of at most 1 MiB.
//
// `profile` receives a handle to be freed with `transire_profile_free`, or NULL. On `TRANSIRE_MALFORMED` what is wrong is
// written to `message` (NUL-terminated UTF-8, as much as fits into `capacity` bytes; NULL with 0 for none).
//
// Codes: `TRANSIRE_MALFORMED`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_profile_read(const uint8_t *input,
                                      size_t length,
                                      struct transire_profile **profile,
                                      char *message,
                                      size_t capacity);

// Reads a target: JSON or TOML, with what it accepts, requires, can set and has been assured of. A profile in any form
// is a target that is its profile and nothing more.
//
// Everything else is as in `transire_profile_read`; the handle is freed with `transire_target_free`, also while gates
// before it are at work.
transire_status transire_target_read(const uint8_t *input,
                                     size_t length,
                                     struct transire_target **target,
                                     char *message,
                                     size_t capacity);

// Writes a profile in one of the forms `TRANSIRE_FORM_CANONICAL`, `_LINE`, `_JSON` and `_TOML`, without a NUL.
//
// `length` receives the bytes that the form has, whether they fit or not, and 0 where the call fails otherwise. With a
// `capacity` of 0, `buffer` may be NULL.
//
// Codes: `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_profile_write(const struct transire_profile *profile,
                                       uint32_t form,
                                       uint8_t *buffer,
                                       size_t capacity,
                                       size_t *length);

// The profile of a target's device, as what the other side checks its own against. Freed with `transire_profile_free`.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_target_profile(const struct transire_target *target, struct transire_profile **profile);

// Frees a profile. NULL is none.
void transire_profile_free(struct transire_profile *profile);

// Frees a target. NULL is none.
void transire_target_free(struct transire_target *target);

// Holds a source's profile against a target, by the vendor's rules and the target's. `now` is the time in seconds since
// 1970-01-01T00:00:00Z, for assertions that end; 0 where it is not known: then those do not count.
//
// It says what goes from this source into this target, nothing of the way back. `verdict` receives a handle to be freed
// with `transire_verdict_free`, or NULL. That the two do not go together is no failure of the call.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_check(const struct transire_profile *source,
                               const struct transire_target *target,
                               uint64_t now,
                               struct transire_verdict **verdict);

// The outcome: the worst of the reasons'. `TRANSIRE_UNKNOWN` for NULL. Allocates nothing.
transire_outcome transire_verdict_outcome(const struct transire_verdict *verdict);

// How many reasons can be asked for; notes count. 0 for NULL. Allocates nothing.
size_t transire_verdict_count(const struct transire_verdict *verdict);

// How many reasons were counted but not kept: of more than 16 notes of one kind, or 256 reasons. 0 for NULL.
uint64_t transire_verdict_dropped(const struct transire_verdict *verdict);

// One reason, the worst first: `index` counts from 0 to below `transire_verdict_count`.
//
// Its texts are written to `buffer`, each with a NUL behind it; where `capacity` bytes do not hold them all, they are
// none, the rest of `reason` is filled in, and `needed` says how many do. 4 KiB are enough for most; with a `capacity`
// of 0, `buffer` may be NULL. Words are made when they are asked for: the call allocates, and frees, memory.
//
// Codes: `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_verdict_reason(const struct transire_verdict *verdict,
                                        size_t index,
                                        char *buffer,
                                        size_t capacity,
                                        struct transire_reason *reason);

// Frees a verdict of `transire_check`; that of a gate or a sealing is freed with it. NULL is none.
void transire_verdict_free(struct transire_verdict *verdict);

// The name of an outcome, such as `incompatible`; `no outcome` for any other number. NUL-terminated, static.
const char *transire_outcome_name(transire_outcome outcome);

// The most that `TRANSIRE_GATE_NEED` ever asks for, in bytes: a buffer of this size takes every stream. Somewhat more
// than 1 MiB; a native stream alone needs less.
size_t transire_gate_need_max(void);

// Makes a gate before a target, or before none (NULL): then nothing is judged, and the stream is only read and checked.
// `options` may be NULL for the usual ones. The target may be freed before the gate.
//
// `gate` receives a handle to be freed with `transire_gate_free`, or NULL. All memory that a gate needs from its early
// verdict on is taken here.
//
// Codes: `TRANSIRE_UNKNOWN_FORMAT`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_gate_new(const struct transire_target *target,
                                  const struct transire_gate_options *options,
                                  struct transire_gate **gate);

// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller drops the
// bytes used and calls again until `TRANSIRE_GATE_FINISHED`. However the input is cut, verdict and payload are the same.
//
// Nothing is copied: payload that is delivered lies where the caller put it, but for what came in pieces and had to be
// seen whole. After the early verdict nothing is allocated, however the stream goes on; before it only for a header above
// 4 KiB, before no target, and where a gate reads on. The input may be NULL where `length` is 0.
//
// Codes: `TRANSIRE_NO_MEMORY`, only before the early verdict: the gate is as it was, and the same step can be taken again.
// `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_gate_step(struct transire_gate *gate,
                                   const uint8_t *input,
                                   size_t length,
                                   bool eof,
                                   struct transire_gate_event *event);

// Gives the stream up: the source has sent nothing for longer than the caller waits. The verdict becomes truncated
// (`stream.stalled`), and the gate is finished; one that is finished already stays as it is. A connection that was cut is
// an `eof`.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_gate_stalled(struct transire_gate *gate);

// How far the gate is. Allocates nothing.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_gate_query(const struct transire_gate *gate, struct transire_gate_state *state);

// The verdict of the gate, which lives as long as the gate and says what it knows when it is asked; never freed by
// itself. NULL for NULL.
const struct transire_verdict *transire_gate_verdict(const struct transire_gate *gate);

// Frees a gate. NULL is none.
void transire_gate_free(struct transire_gate *gate);

// Begins a sealed stream with this profile in its header. `options` must not be NULL. The profile may be freed before
// the sealing.
//
// `seal` receives a handle to be freed with `transire_seal_free`, or NULL.
//
// Codes: `TRANSIRE_UNKNOWN_FORMAT`, `TRANSIRE_BAD_LABEL`, `TRANSIRE_HEADER_TOO_LONG`, `TRANSIRE_INVALID_ARGUMENT`,
// `TRANSIRE_NO_MEMORY`.
transire_status transire_seal_new(const struct transire_profile *profile,
                                  const struct transire_seal_options *options,
                                  struct transire_seal **seal);

// Looks at the input, which begins where the bytes used so far end and is all of one phase; `flow` says what follows it.
// The caller writes what is to be written, drops the bytes used, and calls again: with `TRANSIRE_FLOW_MORE` until
// `TRANSIRE_SEAL_NEED`, with `_FLUSH` until `_FLUSHED`, with `_END` until `_FINISHED`.
//
// The first step gives prologue and header and needs no input, so they can go out before the device is read. Payload is
// not copied. Payload that is damaged, or contradicts the profile, ends in an abort frame; the verdict says why. The
// input may be NULL where `length` is 0.
//
// Codes: `TRANSIRE_BAD_PHASE`, `TRANSIRE_NOT_AS_ANNOUNCED`, `TRANSIRE_TOO_MANY_FRAMES`: after one of these every step
// says it again, and the stream can only be aborted. `TRANSIRE_NO_MEMORY`: the sealing is as it was, and the same step can
// be taken again. `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_seal_step(struct transire_seal *seal,
                                   uint32_t phase,
                                   const uint8_t *input,
                                   size_t length,
                                   uint32_t flow,
                                   struct transire_seal_event *event);

// Gives up: an abort frame goes out, and nothing after it. `text` says why, for the other side's log; one that is none,
// no UTF-8, longer than 1,024 bytes, or cannot be shown is left out. A stream whose first step was not taken has no header: then
// nothing need go out.
//
// Codes: `TRANSIRE_ENDED` where the stream has ended or was aborted, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`,
// `TRANSIRE_INTERNAL`. Where no abort frame can be had, a connection that is closed says the same.
transire_status transire_seal_abort(struct transire_seal *seal,
                                    struct transire_text text,
                                    struct transire_seal_event *event);

// How far the sealing is. Allocates nothing.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_seal_query(const struct transire_seal *seal, struct transire_seal_state *state);

// What speaks against the payload; it lives as long as the sealing, and is never freed by itself. NULL for NULL.
const struct transire_verdict *transire_seal_verdict(const struct transire_seal *seal);

// Frees a sealing. NULL is none.
void transire_seal_free(struct transire_seal *seal);

// The longest answer, in bytes: a buffer of this size takes every answer, whether it is written or read. Somewhat more
// than 64 KiB.
size_t transire_answer_need_max(void);

// Writes what the target says back to the source of the stream, to be sent by any way: `TRANSIRE_ANSWER_EARLY` can be
// given from `TRANSIRE_GATE_VERDICT` on, `TRANSIRE_ANSWER_FINAL` once the gate is finished: at the end of the stream, or
// where it is refused. It names the outcome and the ids of the reasons, no values.
//
// A final answer of a gate that is complete tells the source that the guest can run at the target: it is sent when the
// device has taken everything, and not at all where the device has not.
//
// `length` receives the bytes that the answer has, whether they fit or not; 0 where there is none, and where the call
// fails otherwise. With a `capacity` of 0, `buffer` may be NULL. Leaves the gate as it is. Allocates nothing.
//
// Codes: `TRANSIRE_NO_ANSWER`, `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
transire_status transire_gate_answer(const struct transire_gate *gate,
                                     uint32_t stage,
                                     uint8_t *buffer,
                                     size_t capacity,
                                     size_t *length);

// Reads the first of the answers that come one behind the other; `eof` when nothing follows the input.
//
// `answer` receives a handle to be freed with `transire_answer_free`, and `size` how many bytes it has: the next answer
// begins behind them. Where the input ends inside it and `eof` is false, `answer` receives NULL, and `size` how many
// bytes the input must hold; never more than `transire_answer_need_max`. On `TRANSIRE_MALFORMED` there is no answer,
// `size` is 0, and the id of the reason with words behind it is written to `message` (NUL-terminated UTF-8, as much as
// fits into `capacity` bytes; NULL with 0 for none): nothing behind it can be read either. The input may be NULL where
// `length` is 0; where nothing follows, that is malformed, too: nobody has answered.
//
// Whose answer it is, `transire_seal_is_answered_by` tells. What answers another stream says nothing of this one.
//
// Codes: `TRANSIRE_MALFORMED`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
transire_status transire_answer_read(const uint8_t *input,
                                     size_t length,
                                     bool eof,
                                     struct transire_answer **answer,
                                     size_t *size,
                                     char *message,
                                     size_t capacity);

// What an answer says. Allocates nothing.
//
// Codes: `TRANSIRE_INVALID_ARGUMENT`.
transire_status transire_answer_query(const struct transire_answer *answer, struct transire_answer_state *state);

// The id of one reason, such as `pci_id.not-equal`: `index` counts from 0 to below `reasons` of `transire_answer_query`.
// They ascend, and each is there once. It lies in the answer, and nothing ends it but its length. Allocates nothing.
//
// Codes: `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`.
transire_status transire_answer_reason(const struct transire_answer *answer,
                                       size_t index,
                                       struct transire_text *id);

// Whether an answer is to the stream of this sealing, which it is by `stream_id` and the checksum of the prologue. False
// for NULL, and for a sealing that takes no more calls. Allocates nothing.
bool transire_seal_is_answered_by(const struct transire_seal *seal,
                                  const struct transire_answer *answer);

// Frees an answer. NULL is none.
void transire_answer_free(struct transire_answer *answer);

// How many native formats are known.
size_t transire_format_count(void);

// A native format, by its number from 0 to below `transire_format_count`.
//
// Codes: `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`.
transire_status transire_format_at(size_t index, struct transire_format *format);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TRANSIRE_H */
