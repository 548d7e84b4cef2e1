/*
 * Every function of transire.h, and every argument at its limits: NULL, nothing, the first and the last of a range, and
 * one beyond. Run under AddressSanitizer and under valgrind.
 *
 *     functions FIXTURES          all of it; FIXTURES is the folder fixtures/mtty
 *     functions FIXTURES memory   what is said where there is no memory: not for sanitizers, which need some
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <transire.h>

static int failures;
static unsigned long checks;

#define CHECK(what) check((what), #what, __LINE__)

static void check(bool holds, const char *what, int line)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (!holds) {
        fprintf(stderr, "line %d: %s\n", line, what);
        __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    }
}

/* Bytes on the heap, of exactly their length, so that a read beyond them shows. */
struct bytes {
    uint8_t *at;
    size_t length;
};

static struct bytes append(struct bytes to, const void *from, size_t length)
{
    if (length > 0) {
        to.at = realloc(to.at, to.length + length);
        if (to.at == NULL)
            abort();
        memcpy(to.at + to.length, from, length);
        to.length += length;
    }
    return to;
}

static const char *folder;

static struct bytes fixture(const char *name)
{
    char path[4096];
    uint8_t page[4096];
    size_t count;
    struct bytes all = {NULL, 0};
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while ((count = fread(page, 1, sizeof page, file)) > 0)
        all = append(all, page, count);
    fclose(file);
    return all;
}

static transire_text text_of(const char *words)
{
    transire_text text = {words, strlen(words)};
    return text;
}

static bool is(transire_text text, const char *words)
{
    return text.length == strlen(words) && memcmp(text.bytes, words, text.length) == 0;
}

static bool is_none(transire_text text)
{
    return text.bytes == NULL && text.length == 0;
}

static const uint8_t *octets(const char *words)
{
    return (const uint8_t *)words;
}

static transire_target *target_of(const char *words)
{
    transire_target *target = NULL;
    char message[256];

    if (transire_target_read(octets(words), strlen(words), &target, message, sizeof message) != TRANSIRE_OK) {
        fprintf(stderr, "%s\n", message);
        exit(2);
    }
    return target;
}

static transire_profile *profile_of(const char *words)
{
    transire_profile *profile = NULL;

    CHECK(transire_profile_read(octets(words), strlen(words), &profile, NULL, 0) == TRANSIRE_OK);
    return profile;
}

#define ONE_PORT "vendor = \"mtty\"\n[attributes]\nnr_ports = 1\n"
#define TWO_PORTS "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\n"

static void versions(void)
{
    static const char *const outcomes[] = {
        "compatible", "incompatible", "no outcome", "unrecognized", "corrupt", "truncated", "unknown", "fixable",
    };
    int32_t code;

    CHECK(transire_abi_version() == ((uint32_t)TRANSIRE_ABI_MAJOR << 16 | TRANSIRE_ABI_MINOR));
    CHECK(strchr(transire_version(), '.') != NULL);
    for (code = TRANSIRE_OK; code <= TRANSIRE_NO_ANSWER; code++)
        CHECK(strcmp(transire_status_name(code), "unknown code") != 0);
    CHECK(strcmp(transire_status_name(TRANSIRE_OK), "ok") == 0);
    CHECK(strcmp(transire_status_name(TRANSIRE_NO_ANSWER + 1), "unknown code") == 0);
    CHECK(strcmp(transire_status_name(INT32_MIN), "unknown code") == 0);
    CHECK(strcmp(transire_status_name(INT32_MAX), "unknown code") == 0);
    for (code = 0; code < 8; code++)
        CHECK(strcmp(transire_outcome_name(code), outcomes[code]) == 0);
    CHECK(strcmp(transire_outcome_name(8), "no outcome") == 0);
    CHECK(strcmp(transire_outcome_name(INT32_MIN), "no outcome") == 0);
    CHECK(strcmp(transire_outcome_name(INT32_MAX), "no outcome") == 0);
}

static void formats(void)
{
    size_t count = transire_format_count(), at;
    transire_format format;
    uint8_t longer[sizeof format + 16];
    bool found = false;

    CHECK(count >= 3);
    for (at = 0; at < count; at++) {
        memset(&format, 0xff, sizeof format);
        format.size = sizeof format;
        CHECK(transire_format_at(at, &format) == TRANSIRE_OK);
        CHECK(format.size == sizeof format && format.reserved == 0);
        CHECK(format.name.length > 0 && format.vendor.length > 0 && format.title.length > 0);
        CHECK(format.role >= TRANSIRE_ROLE_SOURCE && format.role <= TRANSIRE_ROLE_CONTAINER);
        CHECK(format.hold > 0 && format.hold < transire_gate_need_max());
        if (is(format.name, "mtty")) {
            found = true;
            CHECK(is(format.vendor, "mtty") && format.role == TRANSIRE_ROLE_SOURCE);
            CHECK(format.judged_within == 24 && format.hold == 96);
        }
    }
    CHECK(found);
    CHECK(transire_format_at(count, &format) == TRANSIRE_NOT_FOUND);
    CHECK(transire_format_at(SIZE_MAX, &format) == TRANSIRE_NOT_FOUND);
    CHECK(transire_format_at(0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    format.size = sizeof format - 1;
    CHECK(transire_format_at(0, &format) == TRANSIRE_INVALID_ARGUMENT);
    format.size = 0;
    CHECK(transire_format_at(0, &format) == TRANSIRE_INVALID_ARGUMENT);
    format.size = SIZE_MAX;
    CHECK(transire_format_at(0, &format) == TRANSIRE_INVALID_ARGUMENT);
    /* A structure of a later version: what is not known here is zeroed. */
    memset(longer, 0xff, sizeof longer);
    format.size = sizeof longer;
    memcpy(longer, &format.size, sizeof format.size);
    CHECK(transire_format_at(0, (transire_format *)(void *)longer) == TRANSIRE_OK);
    for (at = sizeof format; at < sizeof longer; at++)
        CHECK(longer[at] == 0);
}

static void profiles(void)
{
    static const uint32_t forms[] = {
        TRANSIRE_FORM_CANONICAL, TRANSIRE_FORM_LINE, TRANSIRE_FORM_JSON, TRANSIRE_FORM_TOML,
    };
    transire_profile *profile = profile_of(TWO_PORTS), *again, *marked = (transire_profile *)1;
    transire_target *target;
    struct bytes canonical = {NULL, 0};
    char message[8], guard[1] = {'x'};
    uint8_t *whole;
    size_t at, length, second;

    for (at = 0; at < sizeof forms / sizeof *forms; at++) {
        CHECK(transire_profile_write(profile, forms[at], NULL, 0, &length) == TRANSIRE_BUFFER_TOO_SMALL);
        CHECK(length > 0);
        whole = malloc(length);
        CHECK(transire_profile_write(profile, forms[at], whole, length - 1, &second) == TRANSIRE_BUFFER_TOO_SMALL);
        CHECK(second == length);
        CHECK(transire_profile_write(profile, forms[at], whole, length, &second) == TRANSIRE_OK && second == length);
        again = NULL;
        CHECK(transire_profile_read(whole, length, &again, NULL, 0) == TRANSIRE_OK && again != NULL);
        CHECK(transire_profile_write(again, TRANSIRE_FORM_CANONICAL, NULL, 0, &second) == TRANSIRE_BUFFER_TOO_SMALL);
        if (at == 0)
            canonical = append(canonical, whole, length);
        CHECK(second == canonical.length);
        target = NULL;
        CHECK(transire_target_read(whole, length, &target, NULL, 0) == TRANSIRE_OK);
        transire_target_free(target);
        transire_profile_free(again);
        free(whole);
    }
    CHECK(transire_profile_write(profile, 0, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_write(profile, TRANSIRE_FORM_TOML + 1, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_write(profile, UINT32_MAX, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_write(NULL, TRANSIRE_FORM_TOML, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_write(profile, TRANSIRE_FORM_TOML, NULL, 0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_write(profile, TRANSIRE_FORM_TOML, NULL, 1000, &length) == TRANSIRE_INVALID_ARGUMENT);

    /* The canonical bytes, cut anywhere, are no profile; nothing is read beyond them. */
    for (length = 0; length < canonical.length; length++) {
        struct bytes cut = append((struct bytes){NULL, 0}, canonical.at, length);
        again = marked;
        CHECK(transire_profile_read(cut.at, cut.length, &again, message, sizeof message) == TRANSIRE_MALFORMED);
        CHECK(again == NULL && strlen(message) == sizeof message - 1);
        free(cut.at);
    }
    again = marked;
    CHECK(transire_profile_read(NULL, 0, &again, message, sizeof message) == TRANSIRE_MALFORMED && again == NULL);
    CHECK(transire_profile_read(NULL, 1, &again, message, sizeof message) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_read(canonical.at, SIZE_MAX, &again, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_read(canonical.at, (size_t)PTRDIFF_MAX + 1, &again, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_read(canonical.at, canonical.length, NULL, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_read(canonical.at, canonical.length, &again, NULL, 1) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_profile_read(octets("x"), 1, &again, NULL, 0) == TRANSIRE_MALFORMED);
    CHECK(transire_profile_read(octets("x"), 1, &again, guard, 0) == TRANSIRE_MALFORMED && guard[0] == 'x');
    CHECK(transire_profile_read(octets("x"), 1, &again, guard, 1) == TRANSIRE_MALFORMED && guard[0] == '\0');
    memset(message, 'x', sizeof message);
    CHECK(transire_profile_read(canonical.at, canonical.length, &again, message, sizeof message) == TRANSIRE_OK);
    CHECK(message[0] == '\0');
    transire_profile_free(again);

    /* The longest text that is read, and one byte more. */
    for (length = 1 << 20; length <= (1 << 20) + 1; length++) {
        whole = malloc(length);
        memset(whole, '\n', length);
        memcpy(whole, TWO_PORTS, strlen(TWO_PORTS));
        CHECK(transire_profile_read(whole, length, &again, NULL, 0) ==
              (length == 1 << 20 ? TRANSIRE_OK : TRANSIRE_MALFORMED));
        transire_profile_free(again);
        free(whole);
    }

    target = (transire_target *)1;
    CHECK(transire_target_read(octets("vendor = 1"), 10, &target, message, sizeof message) == TRANSIRE_MALFORMED);
    CHECK(target == NULL && message[0] != '\0');
    CHECK(transire_target_read(NULL, 1, &target, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_target_read(octets("x"), 1, NULL, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_target_read(octets("x"), 1, &target, NULL, 1) == TRANSIRE_INVALID_ARGUMENT);
    target = target_of(TWO_PORTS);
    CHECK(transire_target_profile(target, &again) == TRANSIRE_OK);
    transire_target_free(target);
    CHECK(transire_profile_write(again, TRANSIRE_FORM_CANONICAL, NULL, 0, &length) == TRANSIRE_BUFFER_TOO_SMALL);
    CHECK(length == canonical.length);
    transire_profile_free(again);
    again = marked;
    CHECK(transire_target_profile(NULL, &again) == TRANSIRE_INVALID_ARGUMENT && again == NULL);
    target = target_of(ONE_PORT);
    CHECK(transire_target_profile(target, NULL) == TRANSIRE_INVALID_ARGUMENT);
    transire_target_free(target);

    free(canonical.at);
    transire_profile_free(profile);
    transire_profile_free(NULL);
    transire_target_free(NULL);
}

/* Every reason of a verdict, in a buffer of exactly its size and of one byte less. Returns whether one has this id. */
static bool has_reason(const transire_verdict *verdict, const char *id)
{
    transire_reason reason;
    size_t at, needed, count = transire_verdict_count(verdict);
    bool found = false;
    char *buffer;

    reason.size = sizeof reason;
    for (at = 0; at < count; at++) {
        CHECK(transire_verdict_reason(verdict, at, NULL, 0, &reason) == TRANSIRE_BUFFER_TOO_SMALL);
        CHECK(is_none(reason.id) && is_none(reason.text) && is_none(reason.remedy) && reason.needed > 0);
        needed = reason.needed;
        buffer = malloc(needed);
        CHECK(transire_verdict_reason(verdict, at, buffer, needed - 1, &reason) == TRANSIRE_BUFFER_TOO_SMALL);
        CHECK(is_none(reason.id) && is_none(reason.remedy) && reason.needed == needed);
        CHECK(transire_verdict_reason(verdict, at, buffer, needed, &reason) == TRANSIRE_OK);
        CHECK(reason.needed == needed && reason.id.bytes == buffer);
        CHECK(strlen(reason.id.bytes) == reason.id.length && strlen(reason.text.bytes) == reason.text.length);
        CHECK(is_none(reason.attribute) == (reason.attribute_number == 0));
        found = found || is(reason.id, id);
        free(buffer);
    }
    CHECK(transire_verdict_reason(verdict, count, NULL, 0, &reason) == TRANSIRE_NOT_FOUND);
    CHECK(transire_verdict_reason(verdict, SIZE_MAX, NULL, 0, &reason) == TRANSIRE_NOT_FOUND);
    return found;
}

static void checked(void)
{
    transire_profile *source = profile_of(TWO_PORTS);
    transire_target *target = target_of(ONE_PORT), *same = target_of(TWO_PORTS), *settable;
    transire_verdict *verdict = NULL;
    transire_reason reason;
    char buffer[4096];

    CHECK(transire_check(source, same, 0, &verdict) == TRANSIRE_OK);
    CHECK(transire_verdict_outcome(verdict) == TRANSIRE_COMPATIBLE && transire_verdict_count(verdict) == 0);
    CHECK(transire_verdict_dropped(verdict) == 0 && !has_reason(verdict, ""));
    transire_verdict_free(verdict);

    CHECK(transire_check(source, target, UINT64_MAX, &verdict) == TRANSIRE_OK);
    /* Neither is needed any longer. */
    transire_profile_free(source);
    transire_target_free(target);
    CHECK(transire_verdict_outcome(verdict) == TRANSIRE_INCOMPATIBLE);
    CHECK(has_reason(verdict, "nr_ports.not-equal"));
    reason.size = sizeof reason;
    CHECK(transire_verdict_reason(verdict, 0, buffer, sizeof buffer, &reason) == TRANSIRE_OK);
    CHECK(reason.outcome == TRANSIRE_INCOMPATIBLE && is(reason.attribute, "nr_ports") && is(reason.found, "2"));
    CHECK(is(reason.required, "1") && is_none(reason.set_path) && reason.reserved == 0);
    CHECK(transire_verdict_reason(NULL, 0, buffer, sizeof buffer, &reason) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_verdict_reason(verdict, 0, NULL, 1, &reason) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_verdict_reason(verdict, 0, buffer, SIZE_MAX, &reason) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_verdict_reason(verdict, 0, buffer, sizeof buffer, NULL) == TRANSIRE_INVALID_ARGUMENT);
    reason.size = 8;
    memset(buffer, 'x', sizeof buffer);
    CHECK(transire_verdict_reason(verdict, 0, buffer, sizeof buffer, &reason) == TRANSIRE_INVALID_ARGUMENT);
    /* Nothing was changed. */
    CHECK(buffer[0] == 'x' && memcmp(buffer, buffer + 1, sizeof buffer - 1) == 0);
    transire_verdict_free(verdict);

    /* What has to be set is said with the value. */
    settable = target_of("vendor = \"gvt-g\"\n[attributes]\npci_id = \"8086:5912\"\nmdev_type = \"i915-GVTg_V5_4\"\n"
                         "aggregation = 1\n[settable.aggregation]\nrange = [1, 8]\npath = \"mdev/aggregation\"\n");
    source = profile_of("vendor = \"gvt-g\"\n[attributes]\npci_id = \"8086:5912\"\nmdev_type = \"i915-GVTg_V5_4\"\n"
                        "aggregation = 2\n");
    CHECK(transire_check(source, settable, 1, &verdict) == TRANSIRE_OK);
    (void)has_reason(verdict, "");
    transire_verdict_free(verdict);

    verdict = (transire_verdict *)1;
    CHECK(transire_check(NULL, settable, 0, &verdict) == TRANSIRE_INVALID_ARGUMENT && verdict == NULL);
    verdict = (transire_verdict *)1;
    CHECK(transire_check(source, NULL, 0, &verdict) == TRANSIRE_INVALID_ARGUMENT && verdict == NULL);
    CHECK(transire_check(source, settable, 0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_verdict_outcome(NULL) == TRANSIRE_UNKNOWN);
    CHECK(transire_verdict_count(NULL) == 0 && transire_verdict_dropped(NULL) == 0);
    transire_verdict_free(NULL);
    transire_target_free(settable);
    transire_target_free(same);
    transire_profile_free(source);
}

static transire_seal_options seal_options(uint32_t digest, const char *format)
{
    transire_seal_options options;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.digest = digest;
    memcpy(options.stream_id, "sixteen bytes id", 16);
    options.payload_format = text_of(format);
    return options;
}

/* Seals one phase of a stream into `out`. */
static transire_status seal_into(transire_seal *seal, uint32_t phase, struct bytes input, uint32_t flow,
                                 struct bytes *out)
{
    transire_seal_event event;
    size_t at = 0;
    transire_status status;

    for (;;) {
        status = transire_seal_step(seal, phase, input.at == NULL ? NULL : input.at + at, input.length - at, flow,
                                    &event);
        if (status != TRANSIRE_OK)
            return status;
        CHECK(event.used <= input.length - at && event.reserved == 0);
        at += event.used;
        if (event.event != TRANSIRE_SEAL_WRITE)
            return TRANSIRE_OK;
        CHECK(event.head_length > 0);
        *out = append(*out, event.head, event.head_length);
        *out = append(*out, event.payload, event.payload_length);
    }
}

static struct bytes sealed_of(const char *name, const char *ports, uint32_t digest)
{
    struct bytes native = fixture(name), first, rest, out = {NULL, 0};
    transire_profile *profile = profile_of(ports);
    transire_seal_options options = seal_options(digest, "mtty");
    transire_seal_state state;
    transire_seal *seal = NULL;

    options.device_label = text_of("serial0");
    options.flags = TRANSIRE_SEAL_ANNOUNCE;
    options.payload_length = native.length;
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    transire_profile_free(profile);
    first = append((struct bytes){NULL, 0}, native.at, 24);
    rest = append((struct bytes){NULL, 0}, native.at + 24, native.length - 24);
    CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, first, TRANSIRE_FLOW_FLUSH, &out) == TRANSIRE_OK);
    CHECK(seal_into(seal, TRANSIRE_PHASE_STOP_COPY, rest, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    state.size = sizeof state;
    CHECK(transire_seal_query(seal, &state) == TRANSIRE_OK && state.finished && state.complete);
    CHECK(state.total == native.length);
    CHECK(transire_verdict_outcome(transire_seal_verdict(seal)) == TRANSIRE_COMPATIBLE);
    transire_seal_free(seal);
    free(first.at);
    free(rest.at);
    free(native.at);
    return out;
}

/* Puts a stream through a gate from a buffer that grows by `grow` bytes; what is delivered goes to `out`. */
static void pass(transire_gate *gate, struct bytes stream, size_t grow, struct bytes *out)
{
    transire_gate_event event;
    size_t at = 0, end = grow < stream.length ? grow : stream.length;

    for (;;) {
        /* A buffer of its own for each step: what it holds beyond is found by the sanitizers. */
        struct bytes window = {NULL, 0};
        if (end > at)
            window = append(window, stream.at + at, end - at);
        CHECK(transire_gate_step(gate, window.at, window.length, end == stream.length, &event) == TRANSIRE_OK);
        CHECK(event.used <= window.length && event.reserved == 0 && event.need <= transire_gate_need_max());
        CHECK((event.event == TRANSIRE_GATE_DELIVER) == (event.payload_length > 0));
        CHECK((event.event == TRANSIRE_GATE_NEED) == (event.need > 0));
        *out = append(*out, event.payload, event.payload_length);
        free(window.at);
        at += event.used;
        if (event.event == TRANSIRE_GATE_FINISHED)
            return;
        if (event.event == TRANSIRE_GATE_NEED) {
            CHECK(end < stream.length);
            end = end + grow < stream.length ? end + grow : stream.length;
        }
    }
}

static transire_gate_state state_of(const transire_gate *gate)
{
    transire_gate_state state;

    state.size = sizeof state;
    CHECK(transire_gate_query(gate, &state) == TRANSIRE_OK);
    return state;
}

static transire_gate *gate_of(const transire_target *target, uint32_t flags)
{
    transire_gate_options options;
    transire_gate *gate = NULL;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.flags = flags;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_OK);
    return gate;
}

static void gates(void)
{
    static const char *const names[] = {"mtty2-both-ports.bin", "mtty2-wrapped-and-overrun.bin"};
    transire_target *target = target_of(TWO_PORTS), *other = target_of(ONE_PORT);
    size_t at, grow, length;

    for (at = 0; at < 2; at++) {
        struct bytes native = fixture(names[at]);
        struct bytes plain = sealed_of(names[at], TWO_PORTS, TRANSIRE_DIGEST_NONE);
        struct bytes digested = sealed_of(names[at], TWO_PORTS, TRANSIRE_DIGEST_BLAKE3);
        struct bytes streams[3];
        size_t which;

        streams[0] = native, streams[1] = plain, streams[2] = digested;
        for (which = 0; which < 3; which++) {
            for (grow = 1; grow <= streams[which].length; grow += grow < 40 ? 1 : 13) {
                struct bytes out = {NULL, 0};
                transire_gate *gate = gate_of(target, 0);
                transire_gate_state state;

                pass(gate, streams[which], grow, &out);
                state = state_of(gate);
                CHECK(state.judged && state.finished && state.complete && state.used == streams[which].length);
                CHECK(is(state.format, which == 0 ? "mtty" : "sealed") && is(state.payload_format, "mtty"));
                CHECK(is_none(state.abort_text) && state.examined == state.used);
                CHECK(out.length == native.length && memcmp(out.at, native.at, native.length) == 0);
                CHECK(transire_verdict_outcome(transire_gate_verdict(gate)) == TRANSIRE_COMPATIBLE);
                free(out.at);
                transire_gate_free(gate);
            }
            /* Cut anywhere: nothing of it is complete, and of what is held whole nothing comes out. */
            for (length = 0; length < streams[which].length; length++) {
                struct bytes cut = append((struct bytes){NULL, 0}, streams[which].at, length), out = {NULL, 0};
                transire_gate *gate = gate_of(target, 0);

                pass(gate, cut, 7, &out);
                CHECK(!state_of(gate).complete && state_of(gate).finished && out.length == 0);
                CHECK(transire_verdict_outcome(transire_gate_verdict(gate)) == TRANSIRE_TRUNCATED);
                CHECK(transire_verdict_count(transire_gate_verdict(gate)) >= 1);
                free(cut.at);
                transire_gate_free(gate);
            }
            /* Each byte damaged. */
            for (length = 0; length < streams[which].length; length++) {
                struct bytes out = {NULL, 0};
                transire_gate *gate = gate_of(target, 0);

                streams[which].at[length] ^= 0x80;
                pass(gate, streams[which], streams[which].length, &out);
                if (which > 0)
                    CHECK(!state_of(gate).complete && out.length == 0);
                (void)has_reason(transire_gate_verdict(gate), "");
                streams[which].at[length] ^= 0x80;
                free(out.at);
                transire_gate_free(gate);
            }
            /* For another device: refused at the early verdict, nothing delivered. */
            {
                struct bytes out = {NULL, 0};
                transire_gate *gate = gate_of(other, which == 1 ? TRANSIRE_GATE_READ_ON : 0);
                const transire_verdict *verdict = transire_gate_verdict(gate);

                CHECK(transire_verdict_outcome(verdict) == TRANSIRE_COMPATIBLE && !state_of(gate).judged);
                pass(gate, streams[which], 5, &out);
                CHECK(out.length == 0 && state_of(gate).judged && !state_of(gate).complete);
                /* The verdict that was asked for at first says what is known now. */
                CHECK(transire_verdict_outcome(verdict) == TRANSIRE_INCOMPATIBLE);
                CHECK(has_reason(verdict, "nr_ports.not-equal"));
                transire_gate_free(gate);
            }
            /* Before no target: read and checked. */
            {
                struct bytes out = {NULL, 0};
                transire_gate *gate = NULL;

                CHECK(transire_gate_new(NULL, NULL, &gate) == TRANSIRE_OK);
                pass(gate, streams[which], streams[which].length, &out);
                CHECK(state_of(gate).complete && out.length == native.length);
                free(out.at);
                transire_gate_free(gate);
            }
        }
        free(native.at);
        free(plain.at);
        free(digested.at);
    }
    transire_target_free(other);
    transire_target_free(target);
}

static void gate_arguments(void)
{
    transire_target *target = target_of(TWO_PORTS);
    struct bytes stream = sealed_of("mtty2-both-ports.bin", TWO_PORTS, TRANSIRE_DIGEST_NONE), out = {NULL, 0};
    struct bytes native = fixture("mtty2-both-ports.bin");
    transire_gate *gate = (transire_gate *)1;
    transire_gate_event event;
    transire_gate_state state;
    transire_gate_options options;
    uint8_t longer[sizeof options + 8];
    uint32_t number;

    memset(&options, 0, sizeof options);
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT && gate == NULL);
    options.size = sizeof options - 1;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.size = sizeof options;
    CHECK(transire_gate_new(target, &options, NULL) == TRANSIRE_INVALID_ARGUMENT);
    for (number = 0; number < 32; number++) {
        options.flags = number;
        CHECK(transire_gate_new(target, &options, &gate) == (number < 16 ? TRANSIRE_OK : TRANSIRE_INVALID_ARGUMENT));
        transire_gate_free(gate);
    }
    options.flags = UINT32_MAX;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.flags = 0;
    for (number = 0; number < 5; number++) {
        options.input = number;
        CHECK(transire_gate_new(target, &options, &gate) == (number < 3 ? TRANSIRE_OK : TRANSIRE_INVALID_ARGUMENT));
        transire_gate_free(gate);
    }
    options.input = UINT32_MAX;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.input = TRANSIRE_INPUT_AUTO;
    options.now = UINT64_MAX;
    options.format = text_of("mtty");
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_OK);
    pass(gate, native, 1, &out);
    CHECK(state_of(gate).complete);
    transire_gate_free(gate);
    options.input = TRANSIRE_INPUT_SEALED;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.input = TRANSIRE_INPUT_NATIVE;
    options.format = text_of("nosuch");
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_UNKNOWN_FORMAT);
    options.format = text_of("mtty:nosuch=1");
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_UNKNOWN_FORMAT);
    options.format = text_of("\xff");
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.format.bytes = NULL;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_INVALID_ARGUMENT);
    options.format.bytes = "";
    options.format.length = 0;
    CHECK(transire_gate_new(target, &options, &gate) == TRANSIRE_OK);
    transire_gate_free(gate);
    /* Options of a later version: taken where what is not known here is zero. */
    options.size = sizeof longer;
    memset(longer, 0, sizeof longer);
    memcpy(longer, &options, sizeof options);
    CHECK(transire_gate_new(target, (const transire_gate_options *)(void *)longer, &gate) == TRANSIRE_OK);
    transire_gate_free(gate);
    longer[sizeof longer - 1] = 1;
    CHECK(transire_gate_new(target, (const transire_gate_options *)(void *)longer, &gate) ==
          TRANSIRE_INVALID_ARGUMENT);

    gate = gate_of(target, 0);
    CHECK(transire_gate_step(NULL, stream.at, stream.length, true, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_step(gate, NULL, 1, true, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_step(gate, stream.at, SIZE_MAX, true, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_step(gate, stream.at, stream.length, true, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_query(NULL, &state) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_query(gate, NULL) == TRANSIRE_INVALID_ARGUMENT);
    state.size = sizeof state - 1;
    CHECK(transire_gate_query(gate, &state) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_stalled(NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_verdict(NULL) == NULL);
    /* None of that changed anything; no input at all is asked for more. */
    CHECK(transire_gate_step(gate, NULL, 0, false, &event) == TRANSIRE_OK && event.event == TRANSIRE_GATE_NEED);
    CHECK(is_none(state_of(gate).format) && is_none(state_of(gate).payload_format));
    free(out.at);
    out = (struct bytes){NULL, 0};
    pass(gate, stream, stream.length, &out);
    CHECK(state_of(gate).complete && out.length == native.length);
    /* Finished stays finished, and complete is not taken back. */
    CHECK(transire_gate_step(gate, stream.at, stream.length, false, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_GATE_FINISHED && event.used == 0);
    CHECK(transire_gate_stalled(gate) == TRANSIRE_OK && state_of(gate).complete);
    transire_gate_free(gate);

    gate = gate_of(target, 0);
    CHECK(transire_gate_step(gate, stream.at, 40, false, &event) == TRANSIRE_OK);
    CHECK(transire_gate_stalled(gate) == TRANSIRE_OK);
    CHECK(state_of(gate).finished && has_reason(transire_gate_verdict(gate), "stream.stalled"));
    CHECK(transire_verdict_outcome(transire_gate_verdict(gate)) == TRANSIRE_TRUNCATED);
    transire_gate_free(gate);

    /* Two streams on one connection: each gate says where its own ends. */
    {
        struct bytes both = append(append((struct bytes){NULL, 0}, stream.at, stream.length), stream.at, stream.length);
        size_t at = 0, round;

        for (round = 0; round < 2; round++) {
            gate = gate_of(target, TRANSIRE_GATE_FOLLOWED);
            do {
                CHECK(transire_gate_step(gate, both.at + at, both.length - at, false, &event) == TRANSIRE_OK);
                at += event.used;
            } while (event.event != TRANSIRE_GATE_FINISHED && event.event != TRANSIRE_GATE_NEED);
            CHECK(state_of(gate).complete && at == stream.length * (round + 1));
            transire_gate_free(gate);
        }
        gate = gate_of(target, 0);
        free(out.at);
        out = (struct bytes){NULL, 0};
        pass(gate, both, both.length, &out);
        CHECK(transire_verdict_outcome(transire_gate_verdict(gate)) == TRANSIRE_CORRUPT);
        transire_gate_free(gate);
        free(both.at);
    }
    transire_gate_free(NULL);
    transire_target_free(target);
    free(stream.at);
    free(native.at);
    free(out.at);
}

static void sealing(void)
{
    transire_profile *profile = profile_of(TWO_PORTS);
    struct bytes native = fixture("mtty2-both-ports.bin"), out = {NULL, 0}, none = {NULL, 0};
    struct bytes big = {calloc(1, (1 << 20) + 1), (1 << 20) + 1};
    transire_seal_options options = seal_options(TRANSIRE_DIGEST_BLAKE3, "");
    transire_seal *seal = (transire_seal *)1;
    transire_seal_event event;
    transire_seal_state state;
    transire_target *target = target_of(TWO_PORTS);
    transire_gate *gate;
    uint32_t number;
    char *label = malloc(1025);

    state.size = sizeof state;
    CHECK(transire_seal_new(NULL, &options, &seal) == TRANSIRE_INVALID_ARGUMENT && seal == NULL);
    CHECK(transire_seal_new(profile, NULL, &seal) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_new(profile, &options, NULL) == TRANSIRE_INVALID_ARGUMENT);
    for (number = 0; number < 5; number++) {
        options.digest = number;
        CHECK(transire_seal_new(profile, &options, &seal) ==
              (number == 1 || number == 2 ? TRANSIRE_OK : TRANSIRE_INVALID_ARGUMENT));
        transire_seal_free(seal);
    }
    options.digest = UINT32_MAX;
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_INVALID_ARGUMENT);
    options.digest = TRANSIRE_DIGEST_BLAKE3;
    options.flags = 2;
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_INVALID_ARGUMENT);
    options.flags = 0;
    options.size--;
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_INVALID_ARGUMENT);
    options.size++;
    memset(options.stream_id, 0, 16);
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_INVALID_ARGUMENT);
    options.stream_id[15] = 1;
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    transire_seal_free(seal);
    memset(options.stream_id, 0xff, 16);
    options.payload_format = text_of("nosuch");
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_UNKNOWN_FORMAT);
    options.payload_format = text_of("\xff");
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_INVALID_ARGUMENT);
    options.payload_format = text_of("opaque");
    memset(label, 'x', 1025);
    for (number = 1024; number <= 1025; number++) {
        options.device_label.bytes = label;
        options.device_label.length = number;
        CHECK(transire_seal_new(profile, &options, &seal) == (number == 1024 ? TRANSIRE_OK : TRANSIRE_BAD_LABEL));
        transire_seal_free(seal);
    }
    options.device_label = text_of("\n");
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_BAD_LABEL);
    options.device_label = text_of("");

    /* Every phase after every phase. */
    for (number = 0; number < 25; number++) {
        uint32_t first = number / 5 + 1, second = number % 5 + 1;
        bool known = first <= 4 && second <= 4;
        bool follows = known && (first == second || (first < 3 && second < 4));
        transire_status status;

        CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
        status = seal_into(seal, first, native, TRANSIRE_FLOW_FLUSH, &out);
        CHECK(status == (first <= 4 ? TRANSIRE_OK : TRANSIRE_INVALID_ARGUMENT));
        status = seal_into(seal, second, native, TRANSIRE_FLOW_FLUSH, &out);
        CHECK(status == (second > 4                ? TRANSIRE_INVALID_ARGUMENT
                         : follows || first > 4 ? TRANSIRE_OK
                                                  : TRANSIRE_BAD_PHASE));
        if (status == TRANSIRE_BAD_PHASE) {
            /* It stays so, and can be aborted. */
            CHECK(seal_into(seal, first, native, TRANSIRE_FLOW_FLUSH, &out) == TRANSIRE_BAD_PHASE);
            CHECK(transire_seal_abort(seal, text_of("bad phase"), &event) == TRANSIRE_OK);
            CHECK(event.event == TRANSIRE_SEAL_WRITE && event.head_length == 16 + 9 && event.payload == NULL);
        }
        transire_seal_free(seal);
    }

    /* Nothing, one byte, a frame, a frame and one byte. */
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    free(out.at);
    out = none;
    CHECK(transire_seal_step(seal, 1, NULL, 0, TRANSIRE_FLOW_MORE, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_WRITE && event.head_length > 32 && event.used == 0 && event.payload == NULL);
    out = append(out, event.head, event.head_length);
    CHECK(transire_seal_step(seal, 1, NULL, 0, TRANSIRE_FLOW_MORE, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_NEED && event.need == 1 << 20);
    CHECK(transire_seal_step(seal, 1, big.at, (1 << 20) - 1, TRANSIRE_FLOW_MORE, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_NEED && event.used == 0);
    CHECK(transire_seal_step(seal, 1, big.at, big.length, TRANSIRE_FLOW_MORE, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_WRITE && event.used == 1 << 20 && event.head_length == 16);
    CHECK(event.payload == big.at && event.payload_length == 1 << 20);
    out = append(append(out, event.head, event.head_length), event.payload, event.payload_length);
    CHECK(transire_seal_step(seal, 1, NULL, 0, TRANSIRE_FLOW_FLUSH, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_FLUSHED);
    CHECK(transire_seal_step(seal, 1, big.at, 1, 3, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 1, big.at, 1, UINT32_MAX, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 0, big.at, 1, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 257, big.at, 1, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, UINT32_MAX, big.at, 1, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(NULL, 1, big.at, 1, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 1, NULL, 1, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 1, big.at, SIZE_MAX, 0, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_step(seal, 1, big.at, 1, 0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_query(NULL, &state) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_query(seal, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_verdict(NULL) == NULL);
    CHECK(transire_seal_abort(NULL, text_of(""), &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_abort(seal, (transire_text){NULL, 1}, &event) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_abort(seal, text_of(""), NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(seal_into(seal, TRANSIRE_PHASE_ITERATIVE, big, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    CHECK(transire_seal_query(seal, &state) == TRANSIRE_OK && state.complete);
    CHECK(state.total == ((uint64_t)1 << 20) + big.length);
    CHECK(transire_seal_abort(seal, text_of(""), &event) == TRANSIRE_ENDED);
    CHECK(transire_seal_step(seal, 1, big.at, 1, TRANSIRE_FLOW_MORE, &event) == TRANSIRE_OK);
    CHECK(event.event == TRANSIRE_SEAL_FINISHED && event.used == 0);
    transire_seal_free(seal);
    gate = gate_of(target, 0);
    {
        struct bytes delivered = {NULL, 0};

        pass(gate, out, 300000, &delivered);
        CHECK(state_of(gate).complete && delivered.length == ((size_t)1 << 20) + big.length);
        CHECK(is(state_of(gate).payload_format, "opaque"));
        free(delivered.at);
    }
    transire_gate_free(gate);

    /* Aborted by the source: the other side is told why. Text of every length that goes, and of one that does not. */
    for (number = 0; number <= 1025; number += number == 0 ? 1 : 1023 / 3 + (number >= 1023)) {
        struct bytes delivered = {NULL, 0};

        CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
        free(out.at);
        out = none;
        CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, native, TRANSIRE_FLOW_FLUSH, &out) == TRANSIRE_OK);
        CHECK(transire_seal_abort(seal, (transire_text){label, number}, &event) == TRANSIRE_OK);
        CHECK(event.event == TRANSIRE_SEAL_WRITE && event.head_length == 16 + (number <= 1024 ? number : 0));
        out = append(out, event.head, event.head_length);
        CHECK(transire_seal_abort(seal, text_of("again"), &event) == TRANSIRE_ENDED);
        CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, native, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
        CHECK(transire_seal_query(seal, &state) == TRANSIRE_OK && state.finished && !state.complete);
        CHECK(has_reason(transire_seal_verdict(seal), "stream.aborted"));
        transire_seal_free(seal);
        gate = gate_of(target, 0);
        pass(gate, out, out.length, &delivered);
        CHECK(has_reason(transire_gate_verdict(gate), "stream.aborted") && !state_of(gate).complete);
        CHECK(state_of(gate).abort_text.length == (number <= 1024 ? number : 0));
        free(delivered.at);
        transire_gate_free(gate);
    }

    /* Words that are no UTF-8, or cannot be shown, are left out: the stream is aborted all the same. */
    for (number = 0; number < 2; number++) {
        CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
        CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, native, TRANSIRE_FLOW_FLUSH, &out) == TRANSIRE_OK);
        CHECK(transire_seal_abort(seal, text_of(number == 0 ? "\xff" : "\n"), &event) == TRANSIRE_OK);
        CHECK(event.event == TRANSIRE_SEAL_WRITE && event.head_length == 16);
        transire_seal_free(seal);
    }

    /* Damaged payload, and payload of another device, end in an abort frame. */
    options.payload_format = text_of("mtty");
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    native.at[50] ^= 0xff;
    CHECK(seal_into(seal, TRANSIRE_PHASE_UNSPECIFIED, native, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    native.at[50] ^= 0xff;
    CHECK(transire_seal_query(seal, &state) == TRANSIRE_OK && state.finished && !state.complete);
    CHECK(transire_verdict_outcome(transire_seal_verdict(seal)) == TRANSIRE_CORRUPT);
    CHECK(has_reason(transire_seal_verdict(seal), "mtty.count") || has_reason(transire_seal_verdict(seal), "mtty.ring"));
    transire_seal_free(seal);
    transire_profile_free(profile);
    profile = profile_of(ONE_PORT);
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    CHECK(seal_into(seal, TRANSIRE_PHASE_UNSPECIFIED, native, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    CHECK(has_reason(transire_seal_verdict(seal), "profile.contradicts-payload"));
    transire_seal_free(seal);

    /* Another number of bytes than was announced, at both ends of the range. */
    options.payload_format = text_of("");
    options.flags = TRANSIRE_SEAL_ANNOUNCE;
    for (number = 0; number < 3; number++) {
        options.payload_length = number == 0 ? 0 : number == 1 ? UINT64_MAX : native.length;
        CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
        CHECK(seal_into(seal, TRANSIRE_PHASE_UNSPECIFIED, native, TRANSIRE_FLOW_END, &out) ==
              (number < 2 ? TRANSIRE_NOT_AS_ANNOUNCED : TRANSIRE_OK));
        transire_seal_free(seal);
    }
    transire_seal_free(NULL);
    transire_profile_free(profile);
    transire_target_free(target);
    free(native.at);
    free(big.at);
    free(out.at);
    free(label);
}

/* What a gate says back, in a buffer of exactly its size and of one byte less. */
static struct bytes answer_of(const transire_gate *gate, uint32_t stage)
{
    struct bytes answer = {NULL, 0};
    size_t length = SIZE_MAX, again = SIZE_MAX;

    CHECK(transire_gate_answer(gate, stage, NULL, 0, &length) == TRANSIRE_BUFFER_TOO_SMALL);
    CHECK(length > 32 && length <= transire_answer_need_max());
    answer.at = malloc(length);
    answer.length = length;
    answer.at[0] = 'x';
    CHECK(transire_gate_answer(gate, stage, answer.at, length - 1, &again) == TRANSIRE_BUFFER_TOO_SMALL);
    CHECK(again == length && answer.at[0] == 'x');
    CHECK(transire_gate_answer(gate, stage, answer.at, length, &again) == TRANSIRE_OK && again == length);
    return answer;
}

/* The first answer in these bytes. */
static transire_answer *answer_in(struct bytes bytes)
{
    transire_answer *answer = NULL;
    size_t size = 0;

    CHECK(transire_answer_read(bytes.at, bytes.length, false, &answer, &size, NULL, 0) == TRANSIRE_OK);
    CHECK(answer != NULL && size > 32 && size <= bytes.length);
    return answer;
}

static transire_answer_state said_by(const transire_answer *answer)
{
    transire_answer_state state;

    memset(&state, 0xff, sizeof state);
    state.size = sizeof state;
    CHECK(transire_answer_query(answer, &state) == TRANSIRE_OK && state.size == sizeof state);
    return state;
}

/* The target's answer on what goes before the guest is stopped, and on the rest, as the source hears it. */
static void answers(void)
{
    transire_target *targets[2];
    struct bytes initial = fixture("precopy/mtty2-both-ports.precopy-part.bin");
    struct bytes rest = fixture("precopy/mtty2-both-ports.stopcopy-part.bin");
    transire_seal_options options = seal_options(TRANSIRE_DIGEST_BLAKE3, "mtty");
    transire_profile *profile = profile_of(TWO_PORTS);
    size_t refused;

    targets[0] = target_of(TWO_PORTS);
    targets[1] = target_of(ONE_PORT);
    for (refused = 0; refused < 2; refused++) {
        struct bytes wire = {NULL, 0}, early, last;
        transire_gate *gate = gate_of(targets[refused], TRANSIRE_GATE_FOLLOWED);
        transire_gate_event event;
        transire_seal_event aborted;
        transire_seal *seal = NULL, *other = NULL;
        transire_answer *answer;
        transire_answer_state state;
        transire_text id;
        size_t at = 0, length = SIZE_MAX;
        uint8_t byte = 'x';

        CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
        options.stream_id[0]++;
        CHECK(transire_seal_new(profile, &options, &other) == TRANSIRE_OK);
        options.stream_id[0]--;
        /* The guest runs. */
        CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, initial, TRANSIRE_FLOW_FLUSH, &wire) == TRANSIRE_OK);
        CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_EARLY, NULL, 0, &length) == TRANSIRE_NO_ANSWER);
        CHECK(length == 0);
        do {
            CHECK(transire_gate_step(gate, wire.at + at, wire.length - at, false, &event) == TRANSIRE_OK);
            at += event.used;
        } while (event.event != TRANSIRE_GATE_VERDICT);
        /* What refuses the stream is final at once. */
        CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL, &byte, 1, &length) ==
              (refused ? TRANSIRE_BUFFER_TOO_SMALL : TRANSIRE_NO_ANSWER));
        CHECK((length > 0) == refused && byte == 'x' && state_of(gate).finished == refused);
        early = answer_of(gate, TRANSIRE_ANSWER_EARLY);
        answer = answer_in(early);
        CHECK(transire_seal_is_answered_by(seal, answer) && !transire_seal_is_answered_by(other, answer));
        state = said_by(answer);
        CHECK(state.stage == TRANSIRE_ANSWER_EARLY && !state.complete && state.reasons == refused);
        CHECK(state.outcome == (refused ? TRANSIRE_INCOMPATIBLE : TRANSIRE_COMPATIBLE));
        CHECK(memcmp(state.stream_id, options.stream_id, 16) == 0 && is(state.vendor, "mtty"));
        CHECK(memcmp(wire.at + 28, (uint8_t[]){(uint8_t)state.prologue_crc, (uint8_t)(state.prologue_crc >> 8),
                                               (uint8_t)(state.prologue_crc >> 16), (uint8_t)(state.prologue_crc >> 24)},
                     4) == 0);
        if (refused) {
            CHECK(transire_answer_reason(answer, 0, &id) == TRANSIRE_OK && is(id, "nr_ports.not-equal"));
        }
        id = text_of("as it was");
        CHECK(transire_answer_reason(answer, state.reasons, &id) == TRANSIRE_NOT_FOUND && is(id, "as it was"));
        CHECK(transire_answer_reason(answer, SIZE_MAX, &id) == TRANSIRE_NOT_FOUND);
        transire_answer_free(answer);
        /* The guest is stopped, where it is not refused. */
        if (!refused)
            CHECK(seal_into(seal, TRANSIRE_PHASE_STOP_COPY, rest, TRANSIRE_FLOW_END, &wire) == TRANSIRE_OK);
        do {
            CHECK(transire_gate_step(gate, wire.at + at, wire.length - at, false, &event) == TRANSIRE_OK);
            at += event.used;
        } while (event.event != TRANSIRE_GATE_FINISHED);
        last = answer_of(gate, TRANSIRE_ANSWER_FINAL);
        answer = answer_in(last);
        state = said_by(answer);
        CHECK(state.stage == TRANSIRE_ANSWER_FINAL && state.complete == !refused && state.reasons == refused);
        /* A sealing that has ended, or was aborted, still knows its answers. */
        if (refused)
            CHECK(transire_seal_abort(seal, text_of("refused"), &aborted) == TRANSIRE_OK);
        CHECK(transire_seal_is_answered_by(seal, answer) && !transire_seal_is_answered_by(other, answer));
        transire_answer_free(answer);
        free(early.at);
        free(last.at);
        free(wire.at);
        transire_gate_free(gate);
        transire_seal_free(other);
        transire_seal_free(seal);
    }

    /* A native stream names nobody who could be answered. */
    {
        struct bytes native = fixture("mtty2-both-ports.bin"), out = {NULL, 0};
        transire_gate *gate = gate_of(targets[0], 0);
        size_t length;

        pass(gate, native, native.length, &out);
        CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_EARLY, NULL, 0, &length) == TRANSIRE_NO_ANSWER);
        CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL, NULL, 0, &length) == TRANSIRE_NO_ANSWER);
        CHECK(length == 0);
        free(native.at);
        free(out.at);
        transire_gate_free(gate);
    }
    transire_profile_free(profile);
    transire_target_free(targets[0]);
    transire_target_free(targets[1]);
    free(initial.at);
    free(rest.at);
}

static void answer_arguments(void)
{
    transire_target *target = target_of(ONE_PORT);
    struct bytes stream = sealed_of("mtty2-both-ports.bin", TWO_PORTS, TRANSIRE_DIGEST_NONE), out = {NULL, 0};
    transire_gate *gate = gate_of(target, 0);
    transire_answer *answer, *marked = (transire_answer *)1;
    transire_answer_state state;
    transire_profile *profile = profile_of(TWO_PORTS);
    transire_seal_options options = seal_options(TRANSIRE_DIGEST_NONE, "mtty");
    transire_seal *seal = NULL;
    transire_text id;
    struct bytes last, both;
    uint8_t longer[sizeof state + 16], *whole;
    char message[64], one[1] = {'x'};
    size_t length, size, at;

    CHECK(transire_answer_need_max() == 32 + 65536);
    pass(gate, stream, stream.length, &out);
    CHECK(transire_gate_answer(NULL, TRANSIRE_ANSWER_FINAL, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL, NULL, 0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL, NULL, 1, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(length == 0);
    CHECK(transire_gate_answer(gate, 0, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL + 1, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_gate_answer(gate, UINT32_MAX, NULL, 0, &length) == TRANSIRE_INVALID_ARGUMENT);
    last = answer_of(gate, TRANSIRE_ANSWER_EARLY);
    free(last.at);
    last = answer_of(gate, TRANSIRE_ANSWER_FINAL);
    whole = malloc(transire_answer_need_max());
    CHECK(transire_gate_answer(gate, TRANSIRE_ANSWER_FINAL, whole, transire_answer_need_max(), &length) == TRANSIRE_OK);
    CHECK(length == last.length && memcmp(whole, last.at, length) == 0);
    free(whole);

    /* Cut anywhere: how much must be there is said, or that it is none. Nothing is read beyond the bytes. */
    for (at = 0; at <= last.length; at++) {
        struct bytes cut = append((struct bytes){NULL, 0}, last.at, at);

        answer = marked;
        CHECK(transire_answer_read(cut.at, cut.length, false, &answer, &size, message, sizeof message) == TRANSIRE_OK);
        CHECK((answer == NULL) == (at < last.length) && message[0] == '\0');
        CHECK(size == (at < 8 ? 8 : at < 32 ? 32 : last.length));
        transire_answer_free(answer);
        answer = marked;
        CHECK(transire_answer_read(cut.at, cut.length, true, &answer, &size, message, sizeof message) ==
              (at < last.length ? TRANSIRE_MALFORMED : TRANSIRE_OK));
        CHECK((answer == NULL) == (at < last.length) && size == (at < last.length ? 0 : last.length));
        CHECK((strstr(message, ".truncated: ") != NULL) == (at < last.length));
        transire_answer_free(answer);
        free(cut.at);
    }
    /* Each byte damaged. */
    for (at = 0; at < last.length; at++) {
        last.at[at] ^= 0x10;
        answer = marked;
        CHECK(transire_answer_read(last.at, last.length, false, &answer, &size, message, sizeof message) ==
              TRANSIRE_MALFORMED);
        CHECK(answer == NULL && size == 0 && strchr(message, ':') != NULL);
        last.at[at] ^= 0x10;
    }
    /* A stream is none. */
    CHECK(transire_answer_read(stream.at, stream.length, true, &answer, &size, message, sizeof message) ==
          TRANSIRE_MALFORMED);
    CHECK(strncmp(message, "prologue.content: ", 18) == 0);
    /* Two, one behind the other. */
    both = append(append((struct bytes){NULL, 0}, last.at, last.length), last.at, last.length);
    for (at = 0; at < both.length; at += size) {
        answer = NULL;
        CHECK(transire_answer_read(both.at + at, both.length - at, true, &answer, &size, NULL, 0) == TRANSIRE_OK);
        CHECK(answer != NULL && size == last.length);
        transire_answer_free(answer);
        if (size == 0)
            break;
    }
    free(both.at);

    answer = marked;
    CHECK(transire_answer_read(NULL, 0, false, &answer, &size, NULL, 0) == TRANSIRE_OK && answer == NULL && size == 8);
    answer = marked;
    CHECK(transire_answer_read(NULL, 1, true, &answer, &size, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(answer == NULL && size == 0);
    CHECK(transire_answer_read(last.at, SIZE_MAX, true, &answer, &size, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_read(last.at, last.length, true, NULL, &size, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_read(last.at, last.length, true, &answer, NULL, NULL, 0) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_read(last.at, last.length, true, &answer, &size, NULL, 1) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_read(last.at, 3, true, &answer, &size, one, 0) == TRANSIRE_MALFORMED && one[0] == 'x');
    CHECK(transire_answer_read(last.at, 3, true, &answer, &size, one, 1) == TRANSIRE_MALFORMED && one[0] == '\0');

    answer = answer_in(last);
    CHECK(transire_answer_query(NULL, &state) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_query(answer, NULL) == TRANSIRE_INVALID_ARGUMENT);
    for (size = 0; size < sizeof state; size++) {
        state.size = size;
        CHECK(transire_answer_query(answer, &state) == TRANSIRE_INVALID_ARGUMENT);
    }
    state.size = SIZE_MAX;
    CHECK(transire_answer_query(answer, &state) == TRANSIRE_INVALID_ARGUMENT);
    memset(longer, 0xff, sizeof longer);
    state.size = sizeof longer;
    memcpy(longer, &state.size, sizeof state.size);
    CHECK(transire_answer_query(answer, (transire_answer_state *)(void *)longer) == TRANSIRE_OK);
    for (at = sizeof state; at < sizeof longer; at++)
        CHECK(longer[at] == 0);
    CHECK(transire_answer_reason(NULL, 0, &id) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_answer_reason(answer, 0, NULL) == TRANSIRE_INVALID_ARGUMENT);
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    CHECK(!transire_seal_is_answered_by(NULL, answer) && !transire_seal_is_answered_by(seal, NULL));
    CHECK(!transire_seal_is_answered_by(NULL, NULL));
    /* The same stream_id in another header: not the same stream. */
    CHECK(!transire_seal_is_answered_by(seal, answer));
    /* The gate that it came from is not needed. */
    transire_gate_free(gate);
    CHECK(said_by(answer).outcome == TRANSIRE_INCOMPATIBLE);
    transire_answer_free(answer);
    transire_answer_free(NULL);
    transire_seal_free(seal);
    transire_profile_free(profile);
    transire_target_free(target);
    free(last.at);
    free(stream.at);
    free(out.at);
}

/* One gate and one sealing a thread, before one target and from one profile. */
struct shared {
    const transire_target *target;
    struct bytes stream;
};

static void *of_thread(void *given)
{
    const struct shared *shared = given;
    size_t round;

    for (round = 1; round <= 50; round++) {
        struct bytes out = {NULL, 0};
        transire_gate *gate = gate_of(shared->target, 0);

        pass(gate, shared->stream, round, &out);
        CHECK(state_of(gate).complete && out.length == 96);
        free(out.at);
        transire_gate_free(gate);
    }
    return NULL;
}

static void threads(void)
{
    transire_target *target = target_of(TWO_PORTS);
    struct shared shared;
    pthread_t running[8];
    size_t at;

    shared.target = target;
    shared.stream = sealed_of("mtty2-both-ports.bin", TWO_PORTS, TRANSIRE_DIGEST_BLAKE3);
    for (at = 0; at < 8; at++)
        CHECK(pthread_create(&running[at], NULL, of_thread, &shared) == 0);
    for (at = 0; at < 8; at++)
        CHECK(pthread_join(running[at], NULL) == 0);
    transire_target_free(target);
    free(shared.stream.at);
}

/* Everything that the allocator has left, as one chain. */
static void **take_memory(struct rlimit *limit)
{
    void **last = NULL, **taken;
    size_t piece = 1 << 15;

    getrlimit(RLIMIT_AS, limit);
    limit->rlim_cur = 1;
    CHECK(setrlimit(RLIMIT_AS, limit) == 0);
    /* Down to the smallest pieces, so that nothing at all can be had. */
    while (piece >= sizeof *last) {
        while ((taken = malloc(piece)) != NULL) {
            *taken = last;
            last = taken;
        }
        piece = piece > 1024 ? piece / 2 : piece - 8;
    }
    return last;
}

static void give_memory(struct rlimit *limit, void **last)
{
    limit->rlim_cur = limit->rlim_max;
    setrlimit(RLIMIT_AS, limit);
    while (last != NULL) {
        void *taken = last;
        last = *last;
        free(taken);
    }
}

/* Steps until this happens, or what is no event of a gate; how much of the stream is used. */
static size_t step_until(transire_gate *gate, struct bytes stream, size_t at, uint32_t what, transire_gate_event *event)
{
    do {
        if (transire_gate_step(gate, stream.at + at, stream.length - at, true, event) != TRANSIRE_OK)
            return SIZE_MAX;
        at += event->used;
    } while (event->event != what && event->event != TRANSIRE_GATE_FINISHED);
    return at;
}

/* A header above 4 KiB. */
static struct bytes long_header(void)
{
    static char words[8192];
    transire_seal_options options = seal_options(TRANSIRE_DIGEST_NONE, "opaque");
    transire_profile *profile;
    transire_seal *seal = NULL;
    struct bytes out = {NULL, 0}, none = {NULL, 0};
    int row, at = snprintf(words, sizeof words, "%s", TWO_PORTS);
    static const char *const names[] = {"device_api", "driver", "mdev_type", "driver_build"};

    for (row = 0; row < 4; row++)
        at += snprintf(words + at, sizeof words - (size_t)at, "%s = \"%01000d\"\n", names[row], row);
    profile = profile_of(words);
    options.device_label = (transire_text){words + 100, 900};
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    CHECK(seal_into(seal, TRANSIRE_PHASE_UNSPECIFIED, none, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    CHECK(out.length > 32 + 4096);
    transire_seal_free(seal);
    transire_profile_free(profile);
    return out;
}

/* Where there is no memory, every call that takes some says so and changes nothing, and the rest goes on. */
static void without_memory(void)
{
    transire_target *target = target_of(TWO_PORTS), *other = target_of(ONE_PORT), *no_target = NULL;
    transire_profile *profile = profile_of(TWO_PORTS), *no_profile = NULL;
    struct bytes stream = sealed_of("mtty2-both-ports.bin", TWO_PORTS, TRANSIRE_DIGEST_BLAKE3), longer = long_header();
    struct bytes native = fixture("mtty2-both-ports.bin"), aborted = {NULL, 0}, said[2], out = {NULL, 0};
    transire_seal_options options = seal_options(TRANSIRE_DIGEST_BLAKE3, "mtty");
    transire_gate *gate, *fresh = gate_of(target, 0), *refused = gate_of(other, 0), *given_up = gate_of(target, 0);
    transire_gate *of_long = gate_of(target, 0), *of_none = gate_of(NULL, 0), *no_gate = NULL;
    transire_gate_event event;
    transire_seal_event sealing;
    transire_seal *seal = NULL, *no_seal = NULL;
    transire_verdict *no_verdict = NULL;
    transire_answer *no_answer = NULL;
    transire_reason reason;
    struct rlimit limit;
    uint8_t *answer = malloc(transire_answer_need_max());
    char buffer[4096];
    size_t length, size, at;
    void **last;

    reason.size = sizeof reason;
    /* What a gate with memory says. */
    gate = gate_of(target, 0);
    at = step_until(gate, stream, 0, TRANSIRE_GATE_VERDICT, &event);
    said[0] = answer_of(gate, TRANSIRE_ANSWER_EARLY);
    CHECK(step_until(gate, stream, at, TRANSIRE_GATE_FINISHED, &event) == stream.length);
    said[1] = answer_of(gate, TRANSIRE_ANSWER_FINAL);
    transire_gate_free(gate);
    /* A source that gives up behind the verdict, and says much about it. */
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);
    CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, (struct bytes){native.at, 24}, TRANSIRE_FLOW_FLUSH, &aborted) ==
          TRANSIRE_OK);
    memset(buffer, 'x', 1024);
    CHECK(transire_seal_abort(seal, (transire_text){buffer, 1024}, &sealing) == TRANSIRE_OK);
    aborted = append(aborted, sealing.head, sealing.head_length);
    transire_seal_free(seal);
    CHECK(transire_seal_new(profile, &options, &seal) == TRANSIRE_OK);

    last = take_memory(&limit);
    CHECK(transire_target_read(octets(TWO_PORTS), strlen(TWO_PORTS), &no_target, NULL, 0) == TRANSIRE_NO_MEMORY);
    CHECK(transire_profile_read(octets(TWO_PORTS), strlen(TWO_PORTS), &no_profile, NULL, 0) == TRANSIRE_NO_MEMORY);
    CHECK(transire_profile_write(profile, TRANSIRE_FORM_LINE, NULL, 0, &length) == TRANSIRE_NO_MEMORY && length == 0);
    CHECK(transire_target_profile(target, &no_profile) == TRANSIRE_NO_MEMORY);
    CHECK(transire_check(profile, target, 0, &no_verdict) == TRANSIRE_NO_MEMORY);
    CHECK(transire_gate_new(target, NULL, &no_gate) == TRANSIRE_NO_MEMORY);
    CHECK(transire_seal_new(profile, &options, &no_seal) == TRANSIRE_NO_MEMORY);
    CHECK(transire_seal_step(seal, TRANSIRE_PHASE_INITIAL, native.at, 24, TRANSIRE_FLOW_FLUSH, &sealing) ==
          TRANSIRE_NO_MEMORY);
    CHECK(transire_seal_abort(seal, text_of("no memory"), &sealing) == TRANSIRE_NO_MEMORY);
    CHECK(transire_answer_read(said[0].at, said[0].length, true, &no_answer, &size, NULL, 0) == TRANSIRE_NO_MEMORY);
    CHECK(!no_answer && size == 0);
    CHECK(!no_target && !no_profile && !no_verdict && !no_gate && !no_seal);

    /* A gate that stands takes a stream from its first byte to its end, and says what one with memory says. */
    at = step_until(fresh, stream, 0, TRANSIRE_GATE_VERDICT, &event);
    CHECK(at != SIZE_MAX && event.event == TRANSIRE_GATE_VERDICT);
    CHECK(transire_gate_answer(fresh, TRANSIRE_ANSWER_EARLY, NULL, 0, &length) == TRANSIRE_BUFFER_TOO_SMALL);
    CHECK(transire_gate_answer(fresh, TRANSIRE_ANSWER_EARLY, answer, length, &length) == TRANSIRE_OK);
    CHECK(length == said[0].length && memcmp(answer, said[0].at, length) == 0);
    CHECK(step_until(fresh, stream, at, TRANSIRE_GATE_FINISHED, &event) == stream.length && state_of(fresh).complete);
    CHECK(transire_gate_answer(fresh, TRANSIRE_ANSWER_FINAL, answer, transire_answer_need_max(), &length) ==
          TRANSIRE_OK);
    CHECK(length == said[1].length && memcmp(answer, said[1].at, length) == 0);
    /* One that is refused, and one that is given up. */
    CHECK(step_until(refused, stream, 0, TRANSIRE_GATE_FINISHED, &event) < stream.length);
    CHECK(transire_gate_answer(refused, TRANSIRE_ANSWER_FINAL, answer, transire_answer_need_max(), &length) ==
          TRANSIRE_OK);
    CHECK(transire_verdict_reason(transire_gate_verdict(refused), 0, buffer, sizeof buffer, &reason) ==
          TRANSIRE_NO_MEMORY);
    CHECK(step_until(given_up, aborted, 0, TRANSIRE_GATE_FINISHED, &event) == aborted.length);
    CHECK(state_of(given_up).abort_text.length == 1024);
    /* Before the verdict some need more than they have, and say so. */
    CHECK(transire_gate_step(of_long, longer.at, longer.length, true, &event) == TRANSIRE_NO_MEMORY);
    CHECK(transire_gate_step(of_none, stream.at, stream.length, true, &event) == TRANSIRE_NO_MEMORY);
    give_memory(&limit, last);

    /* Nothing was changed: each goes on where it was. */
    pass(of_long, longer, longer.length, &out);
    CHECK(state_of(of_long).judged);
    pass(of_none, stream, stream.length, &out);
    CHECK(state_of(of_none).complete);
    free(out.at);
    out = (struct bytes){NULL, 0};
    CHECK(seal_into(seal, TRANSIRE_PHASE_INITIAL, native, TRANSIRE_FLOW_END, &out) == TRANSIRE_OK);
    free(out.at);
    transire_seal_free(seal);
    transire_gate_free(fresh);
    transire_gate_free(refused);
    transire_gate_free(given_up);
    transire_gate_free(of_long);
    transire_gate_free(of_none);
    transire_profile_free(profile);
    transire_target_free(target);
    transire_target_free(other);
    free(said[0].at);
    free(said[1].at);
    free(answer);
    free(aborted.at);
    free(longer.at);
    free(native.at);
    free(stream.at);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: %s FIXTURES [memory]\n", arguments[0]);
        return 2;
    }
    folder = arguments[1];
    if (count > 2 && strcmp(arguments[2], "memory") == 0) {
        without_memory();
    } else {
        versions();
        formats();
        profiles();
        checked();
        gates();
        gate_arguments();
        sealing();
        answers();
        answer_arguments();
        threads();
    }
    printf("%lu checks, %d failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
