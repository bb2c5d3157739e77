/* server_load.c: sends one request over and over, pipelined, and counts the answers.
 *
 *   server_load HOST PORT FRAME ERROR_AT CONNECTIONS IDLE DEPTH RATE MAX_REQUESTS SECONDS
 *
 * FRAME is a file with a request as it goes over the wire, size first; its correlation id (byte 8)
 * is numbered anew each time. Each connection has up to DEPTH requests under way; IDLE more are open
 * and silent. With RATE 0 a request begins as soon as it may; else so many begin a second, by turns
 * on all connections, and one that has to wait is timed from when it was due. Ends after SECONDS, or
 * MAX_REQUESTS, what comes first. One request is answered before the clock starts. An answer is right if its correlation id is the oldest one's and
 * the int16 at byte ERROR_AT of the frame is 0. Writes one line of JSON: requests, seconds, and the
 * percentiles of their times in microseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DEPTH = 1024, MAX_TIMES = 1 << 22, ANSWER_BYTES = 1 << 16 };

struct connection {
    int fd;
    uint8_t *frame;          /* its own copy, for the correlation id */
    size_t sent;             /* of the request that is going out */
    uint32_t next_id, oldest_id;
    int64_t began_ns[MAX_DEPTH];
    uint8_t answer[ANSWER_BYTES];
    size_t received;
};

static size_t frame_size, error_at;
static uint32_t depth;
static int64_t first_due_ns, interval_ns;  /* of paced requests; interval 0: as fast as may be */
static uint64_t begun, max_requests;
static uint8_t *frame;
static uint32_t *times_us;
static size_t time_count;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "server_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_u32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Whether a connection, the `index`th of `count`, begins a request now; from when it counts. */
static int begins(const struct connection *c, uint64_t index, uint64_t count, int64_t *began_ns)
{
    if (begun >= max_requests || c->next_id - c->oldest_id >= depth)
        return 0;
    int64_t now = now_ns();
    *began_ns = now;
    if (interval_ns) {
        *began_ns = first_due_ns + (int64_t)(c->next_id * count + index) * interval_ns;
        return *began_ns <= now;
    }
    return 1;
}

static void send_some(struct connection *c, int may_begin, uint64_t index, uint64_t count)
{
    for (;;) {
        int64_t began_ns;
        if (c->sent == 0) {
            if (!may_begin || !begins(c, index, count, &began_ns))
                return;
            store_u32(c->frame + 8, c->next_id);
            c->began_ns[c->next_id % MAX_DEPTH] = began_ns;
            c->next_id++;
            begun++;
        }
        ssize_t sent = send(c->fd, c->frame + c->sent, frame_size - c->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN)
                return;
            die("send");
        }
        c->sent += (size_t)sent;
        if (c->sent == frame_size)
            c->sent = 0;
    }
}

static void receive_some(struct connection *c)
{
    ssize_t received = recv(c->fd, c->answer + c->received, ANSWER_BYTES - c->received, 0);
    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0)
        die("recv");
    c->received += (size_t)received;
    size_t at = 0;
    while (c->received - at >= 4 && c->received - at >= 4 + (size_t)load_u32(c->answer + at)) {
        const uint8_t *answer = c->answer + at;
        if (load_u32(answer + 4) != c->oldest_id || answer[error_at] || answer[error_at + 1]) {
            fprintf(stderr, "server_load: answer %u for %u, error %d\n", load_u32(answer + 4),
                    c->oldest_id, answer[error_at] << 8 | answer[error_at + 1]);
            exit(1);
        }
        int64_t took_ns = now_ns() - c->began_ns[c->oldest_id % MAX_DEPTH];
        if (time_count < MAX_TIMES)
            times_us[time_count] = (uint32_t)(took_ns / 1000);
        time_count++;
        c->oldest_id++;
        at += 4 + (size_t)load_u32(answer);
    }
    memmove(c->answer, c->answer + at, c->received - at);
    c->received -= at;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int connect_to(const struct sockaddr_in *address)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Has one request answered: a server opens a partition for the first. */
static void warm_up(struct connection *c)
{
    struct pollfd polled = {.fd = c->fd, .events = POLLIN | POLLOUT};
    uint64_t most = max_requests;
    int64_t interval = interval_ns;
    max_requests = 1;
    interval_ns = 0;
    while (c->oldest_id == 0) {
        send_some(c, 1, 0, 1);
        polled.events = POLLIN | (c->sent ? POLLOUT : 0);
        if (poll(&polled, 1, 10000) <= 0)
            die("poll");
        if (polled.revents & (POLLIN | POLLERR | POLLHUP))
            receive_some(c);
    }
    c->next_id = c->oldest_id = 0;
    begun = time_count = 0;
    max_requests = most;
    interval_ns = interval;
}

static void read_frame(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    fseek(file, 0, SEEK_END);
    frame_size = (size_t)ftell(file);
    rewind(file);
    frame = malloc(frame_size);
    if (fread(frame, 1, frame_size, file) != frame_size)
        die("read");
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 11)
        return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    read_frame(argv[3]);
    error_at = (size_t)atol(argv[4]);
    int count = atoi(argv[5]), idle = atoi(argv[6]);
    depth = (uint32_t)atoi(argv[7]);
    double rate = atof(argv[8]), seconds = atof(argv[10]);
    interval_ns = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    max_requests = strtoull(argv[9], NULL, 10);
    times_us = malloc(sizeof *times_us * MAX_TIMES);
    struct connection *all = calloc((size_t)count, sizeof *all);
    struct pollfd *polled = calloc((size_t)count, sizeof *polled);
    for (int i = 0; i < idle; i++)
        connect_to(&address);
    for (int i = 0; i < count; i++) {
        all[i].fd = polled[i].fd = connect_to(&address);
        all[i].frame = malloc(frame_size);
        memcpy(all[i].frame, frame, frame_size);
    }
    warm_up(&all[0]);
    int64_t start_ns = now_ns(), end_ns = start_ns + (int64_t)(seconds * 1e9);
    first_due_ns = start_ns;
    for (;;) {
        int may_begin = now_ns() < end_ns && begun < max_requests, is_busy = 0;
        for (int i = 0; i < count; i++) {
            struct connection *c = &all[i];
            send_some(c, may_begin, (uint64_t)i, (uint64_t)count);
            is_busy |= c->next_id != c->oldest_id || c->sent;
            polled[i].events = POLLIN | (c->sent ? POLLOUT : 0);
        }
        if (!may_begin && !is_busy)
            break;
        int64_t wait_ns = 10000000000ll;
        if (interval_ns && may_begin) {
            wait_ns = first_due_ns + (int64_t)begun * interval_ns - now_ns();
            wait_ns = wait_ns < 0 ? 0 : wait_ns;
        }
        struct timespec wait = {wait_ns / 1000000000ll, wait_ns % 1000000000ll};
        int ready = ppoll(polled, (nfds_t)count, &wait, NULL);
        if (ready < 0 || (ready == 0 && !(interval_ns && may_begin)))
            die("poll");
        for (int i = 0; i < count; i++)
            if (polled[i].revents & (POLLIN | POLLERR | POLLHUP))
                receive_some(&all[i]);
    }
    double took_s = (double)(now_ns() - start_ns) / 1e9;
    size_t kept = time_count < MAX_TIMES ? time_count : MAX_TIMES;
    qsort(times_us, kept, sizeof *times_us, compare);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"frame_bytes\": %zu, \"p50_us\": %u, "
           "\"p99_us\": %u}\n", time_count, took_s, frame_size,
           kept ? times_us[kept / 2] : 0, kept ? times_us[kept * 99 / 100] : 0);
    return 0;
}
