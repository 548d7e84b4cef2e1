/*
 * A device migrates from one process to another, over a sealed stream and a gate.
 *
 *     migrate good|refused|aborted|cut FOLDER
 *
 * FOLDER holds what the kernel's mtty driver gave in pre-copy and in stop-copy: fixtures/mtty/precopy. One process plays
 * the source's VMM, with a device that gives these bytes; another plays the target's, with a device that has the
 * driver's rules. A socket lies between them, and the sealed stream goes over it.
 *
 *     good     the target takes the device
 *     refused  the target has one port and the source two: its early answer says so, and the guest is never stopped
 *     aborted  the source gives up after the guest was stopped: the target is told, and the guest runs on at the source
 *     cut      the connection goes in the middle of a frame: the target sees it, and so does the source
 *
 * Exit codes: 0 the guest runs at the target; 1 it was refused; 5 it was aborted or cut, and the guest runs at the
 * source; 2 the run itself failed. They are the target's outcomes, as everywhere in transire.
 *
 * Back over the same socket come the target's answers: the early one after its early verdict, which the source waits for
 * before it stops the guest, and the final one when the device is loaded, or is not to be. One byte is this example's own:
 * behind the stream the source says go. A connection that closes instead is a no. The guest is never in two places: the
 * source gives it up before it says go, and the target waits for that.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <transire.h>

/* Exit codes besides the outcomes, and the byte behind the stream. */
enum { GOOD = 0, FAILED = 2, STOPPED = 5 };
enum { GO = 'g' };

/* What the device is, as each side's administrator has written it down. */
#define TWO_PORTS "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\n"
#define ONE_PORT "vendor = \"mtty\"\n[attributes]\nnr_ports = 1\n"

static void die(const char *who, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", who, what, strerror(errno));
    exit(FAILED);
}

/* A call that can only fail by a mistake in this program, or for want of memory. */
static void must(const char *who, transire_status status)
{
    if (status != TRANSIRE_OK) {
        fprintf(stderr, "%s: %s\n", who, transire_status_name(status));
        exit(FAILED);
    }
}

static void show(const char *who, const transire_verdict *verdict)
{
    transire_reason reason;
    char words[4096];
    size_t at;

    printf("%s: verdict: %s\n", who, transire_outcome_name(transire_verdict_outcome(verdict)));
    for (at = 0; at < transire_verdict_count(verdict); at++) {
        memset(&reason, 0, sizeof reason);
        reason.size = sizeof reason;
        must(who, transire_verdict_reason(verdict, at, words, sizeof words, &reason));
        printf("%s: %s: %s\n", who, reason.id.bytes, reason.text.bytes);
    }
}

/* What is there to receive, however long it takes; 0 when nothing follows. */
static size_t received(int from, uint8_t *bytes, size_t capacity)
{
    ssize_t count;

    do
        count = recv(from, bytes, capacity, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? 0 : (size_t)count;
}

/* Writes all of it; false when the other end is gone. */
static bool sent(int to, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = send(to, bytes, length, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* --- The source ------------------------------------------------------------------------------------------------- */

/* Seals what the device gave in one phase, and sends it. */
static bool seal_and_send(transire_seal *seal, uint32_t phase, const uint8_t *bytes, size_t length, uint32_t flow,
                          int to)
{
    transire_seal_event event;

    for (;;) {
        must("source", transire_seal_step(seal, phase, bytes, length, flow, &event));
        bytes += event.used;
        length -= event.used;
        if (event.event != TRANSIRE_SEAL_WRITE)
            return true;
        /* A VMM would hand both to one writev. */
        if (!sent(to, event.head, event.head_length) || !sent(to, event.payload, event.payload_length))
            return false;
    }
}

/* The device: what it gives until it has no more, as a read of the descriptor of its migration would. */
static size_t device_gives(const char *folder, const char *part, uint8_t *bytes, size_t capacity)
{
    char path[4096];
    size_t length = 0;
    ssize_t count;
    int from;

    snprintf(path, sizeof path, "%s/mtty2-both-ports.%s-part.bin", folder, part);
    from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        die("source", path);
    while ((count = read(from, bytes + length, capacity - length)) > 0)
        length += (size_t)count;
    if (count < 0)
        die("source", path);
    close(from);
    return length;
}

/* What has come back, up to where it was read. */
struct back {
    int from;
    uint8_t *bytes;
    size_t length;
};

/* Waits for the target's next answer, and prints it. False where none comes that is to this stream. A VMM would not wait
   for ever. */
static bool answered(struct back *back, const transire_seal *seal, transire_answer_state *said)
{
    size_t capacity = transire_answer_need_max(), size, count, at;
    transire_answer *answer;
    transire_text id;
    char message[1024];
    bool eof = false;

    for (;;) {
        transire_status status =
            transire_answer_read(back->bytes, back->length, eof, &answer, &size, message, sizeof message);
        if (status == TRANSIRE_MALFORMED) {
            printf("source: the target says nothing\n");
            return false;
        }
        must("source", status);
        if (answer != NULL)
            break;
        count = received(back->from, back->bytes + back->length, capacity - back->length);
        back->length += count;
        eof = count == 0;
    }
    memmove(back->bytes, back->bytes + size, back->length - size);
    back->length -= size;
    /* What answers another stream says nothing of this one. */
    if (!transire_seal_is_answered_by(seal, answer)) {
        transire_answer_free(answer);
        printf("source: the target answers another stream\n");
        return false;
    }
    said->size = sizeof *said;
    must("source", transire_answer_query(answer, said));
    printf("source: %s answer: %s%s", said->stage == TRANSIRE_ANSWER_EARLY ? "early" : "final",
           transire_outcome_name(said->outcome), said->complete ? ", complete" : "");
    for (at = 0; at < said->reasons; at++) {
        must("source", transire_answer_reason(answer, at, &id));
        printf("%s %.*s", at == 0 ? ":" : ",", (int)id.length, id.bytes);
    }
    printf("\n");
    transire_answer_free(answer);
    return true;
}

static int source_keeps(void)
{
    printf("source: device in STOP_COPY, taken back to RUNNING, guest runs at the source\n");
    return STOPPED;
}

static int source(const char *run, const char *folder, int wire)
{
    transire_profile *profile;
    transire_seal_options options;
    transire_seal_event event;
    transire_seal *seal;
    transire_answer_state said;
    struct back back = {wire, malloc(transire_answer_need_max()), 0};
    uint8_t bytes[4096], go = GO;
    char message[1024];
    size_t length;
    bool heard;
    int random;

    if (back.bytes == NULL)
        die("source", "malloc");

    if (transire_profile_read((const uint8_t *)TWO_PORTS, strlen(TWO_PORTS), &profile, message, sizeof message)) {
        fprintf(stderr, "source: %s\n", message);
        return FAILED;
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.digest = TRANSIRE_DIGEST_BLAKE3;
    options.payload_format.bytes = "mtty";
    options.payload_format.length = 4;
    random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (random < 0 || read(random, options.stream_id, sizeof options.stream_id) != sizeof options.stream_id)
        die("source", "/dev/urandom");
    close(random);
    must("source", transire_seal_new(profile, &options, &seal));
    transire_profile_free(profile);

    /* Pre-copy: the guest runs. What identifies the device goes out at once, and the target says what it thinks of it
       before anything else is done. */
    length = device_gives(folder, "precopy", bytes, sizeof bytes);
    printf("source: pre-copy, %zu bytes of the device\n", length);
    /* A target that refuses the header may be gone before the rest is sent: what it said is there all the same. */
    (void)seal_and_send(seal, TRANSIRE_PHASE_INITIAL, bytes, length, TRANSIRE_FLOW_FLUSH, wire);
    heard = answered(&back, seal, &said);
    if (!heard || said.outcome != TRANSIRE_COMPATIBLE) {
        transire_text why = {"the target does not take it", 27};
        must("source", transire_seal_abort(seal, why, &event));
        (void)sent(wire, event.head, event.head_length);
        transire_seal_free(seal);
        free(back.bytes);
        printf("source: device in PRE_COPY, taken back to RUNNING; the guest was never stopped\n");
        return heard && said.outcome == TRANSIRE_INCOMPATIBLE ? TRANSIRE_INCOMPATIBLE : STOPPED;
    }

    /* Stop-copy: the guest stands still until the target has the device, or it runs on here. */
    length = device_gives(folder, "stopcopy", bytes, sizeof bytes);
    printf("source: guest stopped, %zu bytes of the device\n", length);
    if (strcmp(run, "aborted") == 0) {
        transire_text why = {"operator cancelled", 18};
        must("source", transire_seal_abort(seal, why, &event));
        (void)sent(wire, event.head, event.head_length);
    } else if (strcmp(run, "cut") == 0) {
        must("source", transire_seal_step(seal, TRANSIRE_PHASE_STOP_COPY, bytes, length, TRANSIRE_FLOW_END, &event));
        (void)sent(wire, event.head, event.head_length);
        (void)sent(wire, event.payload, event.payload_length / 2);
        shutdown(wire, SHUT_RDWR);
    } else {
        /* A target that is gone shows below: what it said before is there all the same. */
        (void)seal_and_send(seal, TRANSIRE_PHASE_STOP_COPY, bytes, length, TRANSIRE_FLOW_END, wire);
    }
    /* What the library checks of the payload on its way: a device that gave damaged bytes is found here already. */
    if (transire_verdict_outcome(transire_seal_verdict(seal)) != TRANSIRE_COMPATIBLE && strcmp(run, "aborted") != 0)
        show("source", transire_seal_verdict(seal));

    /* Only a target whose final answer says so has the device: everything else is a no. An early answer says that the
       target has come to know more. */
    do
        heard = answered(&back, seal, &said);
    while (heard && said.stage == TRANSIRE_ANSWER_EARLY);
    transire_seal_free(seal);
    free(back.bytes);
    if (!heard || !said.complete)
        return source_keeps();
    /* From here on the guest is not the source's. Whether the other end is still there shows at its side. */
    (void)sent(wire, &go, 1);
    printf("source: device in STOP, to be released\n");
    return GOOD;
}

/* --- The target ------------------------------------------------------------------------------------------------- */

/* The device of the target, with the rules of the kernel's driver: what was written is looked at once the header is
   there, and loaded when the device leaves RESUMING with all of it. */
struct device {
    uint8_t file[24 + 2 * 36];
    size_t filled;
    uint32_t ports;
};

static int device_write(struct device *device, const uint8_t *bytes, size_t length)
{
    static const uint8_t begins[16] = {0x4e, 0x2c, 0x3e, 0x8c, 0x89, 0x09, 0x9d, 0x7e, 1};
    size_t before = device->filled;

    if (length > 24 + device->ports * 36 - before)
        return ENOMEM;
    memcpy(device->file + before, bytes, length);
    device->filled += length;
    if (before < 24 && device->filled >= 24 &&
        (memcmp(device->file, begins, sizeof begins) != 0 || device->file[16] != device->ports))
        return EFAULT;
    return 0;
}

static int device_run(const struct device *device)
{
    return device->filled < 24 + device->ports * 36 ? EINVAL : 0;
}

/* Sends an answer to the source. A source that is gone hears nothing, and takes it for a no. */
static void answer(const transire_gate *gate, uint32_t stage, uint8_t *bytes, int wire)
{
    size_t length;
    transire_status status = transire_gate_answer(gate, stage, bytes, transire_answer_need_max(), &length);

    /* What came is no sealed stream whose header can be believed: there is nobody to answer. */
    if (status == TRANSIRE_NO_ANSWER)
        return;
    must("target", status);
    (void)sent(wire, bytes, length);
}

static int target(const char *run, int wire)
{
    const char *ports = strcmp(run, "refused") == 0 ? ONE_PORT : TWO_PORTS;
    struct device device = {{0}, 0, strcmp(run, "refused") == 0 ? 1 : 2};
    transire_target *known;
    transire_gate_options options;
    transire_gate_event event;
    transire_gate_state state;
    transire_gate *gate;
    char message[1024];
    uint8_t *window, *said, behind;
    size_t capacity = transire_gate_need_max(), start = 0, end = 0, count;
    bool eof = false, told = false;
    int refused, outcome = TRANSIRE_COMPATIBLE;

    if (transire_target_read((const uint8_t *)ports, strlen(ports), &known, message, sizeof message)) {
        fprintf(stderr, "target: %s\n", message);
        return FAILED;
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.input = TRANSIRE_INPUT_SEALED;
    /* The connection stays open for the answers, so the source does not end it behind the stream. */
    options.flags = TRANSIRE_GATE_FOLLOWED;
    must("target", transire_gate_new(known, &options, &gate));
    transire_target_free(known);
    window = malloc(capacity);
    said = malloc(transire_answer_need_max());
    if (window == NULL || said == NULL)
        die("target", "malloc");

    for (;;) {
        must("target", transire_gate_step(gate, window + start, end - start, eof, &event));
        start += event.used;
        if (event.event == TRANSIRE_GATE_FINISHED)
            break;
        switch (event.event) {
        case TRANSIRE_GATE_VERDICT:
            /* Of a payload that states its source itself there are two verdicts: on the header, and on the payload,
               which is held here until it is whole. The header's is what the source waits for; the other is said where
               it is another. */
            if (!told || outcome != transire_verdict_outcome(transire_gate_verdict(gate)))
                answer(gate, TRANSIRE_ANSWER_EARLY, said, wire);
            outcome = transire_verdict_outcome(transire_gate_verdict(gate));
            printf("target: %s verdict: %s\n", told ? "later" : "early", transire_outcome_name(outcome));
            told = true;
            break;
        case TRANSIRE_GATE_DELIVER:
            refused = device_write(&device, event.payload, event.payload_length);
            if (refused != 0) {
                errno = refused;
                die("target", "write to the device");
            }
            printf("target: %zu bytes written to the device\n", event.payload_length);
            break;
        case TRANSIRE_GATE_NEED:
            /* Room for what is needed: what is left moves to the front. */
            if (event.need > capacity - start) {
                memmove(window, window + start, end - start);
                end -= start;
                start = 0;
            }
            count = received(wire, window + end, capacity - end);
            eof = count == 0;
            end += count;
            break;
        default: /* Of a later version; nothing is lost by going on. */
            break;
        }
    }

    state.size = sizeof state;
    must("target", transire_gate_query(gate, &state));
    show("target", transire_gate_verdict(gate));
    if (state.abort_text.length > 0)
        printf("target: the source says: %.*s\n", (int)state.abort_text.length, state.abort_text.bytes);
    outcome = transire_verdict_outcome(transire_gate_verdict(gate));
    if (state.complete) {
        refused = device_run(&device);
        if (refused != 0) {
            errno = refused;
            die("target", "leave RESUMING");
        }
        printf("target: device loaded, in STOP\n");
        /* The driver has taken everything: now the source may know. */
        answer(gate, TRANSIRE_ANSWER_FINAL, said, wire);
        /* What came behind the stream is in the window already, or still on its way. */
        if (start < end)
            behind = window[start];
        else if (received(wire, &behind, 1) == 0)
            behind = 0;
        if (behind == GO) {
            printf("target: guest runs at the target\n");
        } else {
            printf("target: nobody says go, guest does not run here\n");
            outcome = STOPPED;
        }
    } else {
        /* Whatever the device was given, it does not leave RESUMING but by a reset. */
        printf("target: device reset, with %zu bytes written\n", device.filled);
        answer(gate, TRANSIRE_ANSWER_FINAL, said, wire);
        /* Closed with bytes unread, a connection can take along what was said: what still comes is read, and dropped. */
        shutdown(wire, SHUT_WR);
        while (received(wire, window, capacity) > 0)
            continue;
    }
    transire_gate_free(gate);
    free(window);
    free(said);
    return outcome;
}

/* ---------------------------------------------------------------------------------------------------------------- */

/* Runs one side in a process of its own; what it prints is kept apart, so that the two are not mixed. */
static pid_t process(int (*side)(const char *, const char *, int), const char *run, const char *folder, int mine,
                     int other, FILE *said)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0)
        die("migrate", "fork");
    if (child == 0) {
        int code;
        close(other);
        if (dup2(fileno(said), STDOUT_FILENO) < 0)
            die("migrate", "dup2");
        code = side(run, folder, mine);
        fflush(stdout);
        close(mine);
        exit(code);
    }
    return child;
}

static int target_side(const char *run, const char *folder, int wire)
{
    (void)folder;
    return target(run, wire);
}

static int ended(pid_t child, FILE *said)
{
    int status, letter;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            die("migrate", "waitpid");
    rewind(said);
    while ((letter = getc(said)) != EOF)
        putchar(letter);
    fclose(said);
    return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

int main(int count, char **arguments)
{
    static const char *const runs[] = {"good", "refused", "aborted", "cut"};
    FILE *source_said, *target_said;
    pid_t source_child, target_child;
    int wire[2], source_code, target_code;
    size_t at = 0;

    while (count == 3 && at < 4 && strcmp(arguments[1], runs[at]) != 0)
        at++;
    if (count != 3 || at == 4) {
        fprintf(stderr, "usage: %s good|refused|aborted|cut FOLDER\n", arguments[0]);
        return FAILED;
    }
    if (transire_abi_version() >> 16 != TRANSIRE_ABI_MAJOR) {
        fprintf(stderr, "migrate: built for another libtransire\n");
        return FAILED;
    }
    source_said = tmpfile();
    target_said = tmpfile();
    if (source_said == NULL || target_said == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, wire) != 0)
        die("migrate", "socketpair");
    source_child = process(source, arguments[1], arguments[2], wire[0], wire[1], source_said);
    target_child = process(target_side, arguments[1], arguments[2], wire[1], wire[0], target_said);
    close(wire[0]);
    close(wire[1]);
    source_code = ended(source_child, source_said);
    target_code = ended(target_child, target_said);
    printf("migrate: source %d, target %d\n", source_code, target_code);
    /* The two never disagree about who has the guest. */
    return source_code == target_code ? target_code : FAILED;
}
