// A load generator that costs less than what it measures: raw protocol frames from one thread.
//
//   cc -O2 -o load load.c
//   load produce PORT TOPIC PARTITIONS CONNECTIONS IN_FLIGHT RECORDS RECORD_BYTES SECONDS PID
//   load fetch   PORT TOPIC PARTITIONS CONNECTIONS FETCH_BYTES SECONDS PID
//   load rate    PORT TOPIC RECORDS_PER_SECOND RECORD_BYTES SECONDS PID
//   load idle    PORT CONNECTIONS SECONDS PID
//
// Prints one line of JSON: rates, latencies, and the CPU seconds that process PID used meanwhile.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nmmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

// ---- CPU of the server

struct cpu {
    double user, system;
};

static struct cpu cpu_of(int pid) {
    struct cpu r = {0, 0};
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int f = open(path, O_RDONLY);
    if (f < 0) return r;
    ssize_t n = read(f, text, sizeof text - 1);
    close(f);
    if (n <= 0) return r;
    text[n] = 0;
    char *p = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (p) sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    r.user = (double)user / sysconf(_SC_CLK_TCK);
    r.system = (double)system / sysconf(_SC_CLK_TCK);
    return r;
}

// ---- bytes

static uint8_t *at;
static void p8(int v) { *at++ = (uint8_t)v; }
static void p16(int v) { p8(v >> 8); p8(v); }
static void p32(int64_t v) { p16((int)(v >> 16)); p16((int)v); }
static void p64(int64_t v) { p32(v >> 32); p32(v); }
static void ptext(const char *s) { p16((int)strlen(s)); memcpy(at, s, strlen(s)); at += strlen(s); }
static void pvar(int64_t v) {
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    while (z >= 128) { p8((int)(z & 127) | 128); z >>= 7; }
    p8((int)z);
}
static int32_t g32(const uint8_t *p) { return (int32_t)((uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]); }
static int64_t g64(const uint8_t *p) { return (int64_t)((uint64_t)(uint32_t)g32(p) << 32 | (uint32_t)g32(p + 4)); }
static void set32(uint8_t *p, int64_t v) { at = p; p32(v); }

static uint32_t crc32c(const uint8_t *p, size_t n) {
    uint64_t c = 0xFFFFFFFF;
    while (n >= 8) { uint64_t w; memcpy(&w, p, 8); c = _mm_crc32_u64(c, w); p += 8; n -= 8; }
    while (n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c ^ 0xFFFFFFFF;
}

static uint8_t *batch_end(uint8_t *batch, int records, int bytes) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t ms = t.tv_sec * 1000 + t.tv_nsec / 1000000;
    at = batch;
    p64(0); p32(0); p32(-1); p8(2); p32(0); p16(0); p32(records - 1); p64(ms); p64(ms);
    p64(-1); p16(-1); p32(-1); p32(records);
    for (int i = 0; i < records; i++) {
        uint8_t head[16], *start = at;
        at = head;
        p8(0); pvar(0); pvar(i); pvar(-1); pvar(bytes);
        int length = (int)(at - head);
        at = start;
        pvar(length + bytes + 1);
        memcpy(at, head, (size_t)length);
        at += length;
        for (int b = 0; b < bytes; b++) *at++ = (uint8_t)("abcdefghijklmnop"[(i * 7 + b) & 15]);
        p8(0);
    }
    uint8_t *end = at;
    set32(batch + 8, end - batch - 12);
    set32(batch + 17, (int64_t)crc32c(batch + 21, (size_t)(end - batch - 21)));
    return end;
}

static uint8_t *produce_frame(const char *topic, int partition, int records, int bytes, size_t *count) {
    uint8_t *f = malloc((size_t)records * (size_t)(bytes + 32) + 512);
    at = f;
    p32(0); p16(0); p16(7); p32(0); ptext("load");
    p16(-1); p16(-1); p32(30000); p32(1); ptext(topic); p32(1); p32(partition);
    uint8_t *size = at;
    p32(0);
    uint8_t *end = batch_end(at, records, bytes);
    set32(size, end - size - 4);
    set32(f, end - f - 4);
    *count = (size_t)(end - f);
    return f;
}

static uint8_t *fetch_frame(const char *topic, int partition, int64_t offset, int bytes, int wait, size_t *count) {
    uint8_t *f = malloc(512);
    at = f;
    p32(0); p16(1); p16(11); p32(0); ptext("load");
    p32(-1); p32(wait); p32(1); p32(bytes); p8(0); p32(0); p32(-1);
    p32(1); ptext(topic); p32(1); p32(partition); p32(-1); p64(offset); p64(-1); p32(bytes);
    p32(0); p16(0);
    *count = (size_t)(at - f);
    set32(f, *count - 4);
    return f;
}

static int dial(int port, int blocking) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0) die("socket");
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(s, (struct sockaddr *)&a, sizeof a) < 0) die("connect");
    int one = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!blocking) fcntl(s, F_SETFL, O_NONBLOCK);
    return s;
}

static int compare(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static double *samples;
static size_t sampled, sample_room;
static void sample(double v) {
    if (sampled == sample_room) {
        sample_room = sample_room ? sample_room * 2 : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
    }
    samples[sampled++] = v;
}
static double percentile(double p) { return sampled ? samples[(size_t)((double)(sampled - 1) * p)] * 1e3 : 0; }

static void report(const char *mode, double seconds, double requests, double records, double bytes, struct cpu from, struct cpu to) {
    qsort(samples, sampled, sizeof *samples, compare);
    double u = to.user - from.user, s = to.system - from.system, gb = bytes / 1e9;
    printf("{\"mode\": \"%s\", \"seconds\": %.2f, \"requests\": %.0f, \"requests_s\": %.0f, \"records_s\": %.0f, "
           "\"mb_s\": %.1f, \"user_s\": %.2f, \"system_s\": %.2f, \"user_s_per_gb\": %.3f, \"system_s_per_gb\": %.3f, "
           "\"cpu_s_per_gb\": %.3f, \"cpu_us_per_request\": %.2f, \"user_us_per_request\": %.2f, "
           "\"requests_s_per_core\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
        mode, seconds, requests, requests / seconds, records / seconds, bytes / seconds / 1e6, u, s,
        gb ? u / gb : 0, gb ? s / gb : 0, gb ? (u + s) / gb : 0, requests ? (u + s) / requests * 1e6 : 0,
        requests ? u / requests * 1e6 : 0, (u + s) > 0 ? requests / (u + s) : 0,
        percentile(0.5), percentile(0.99), percentile(0.999));
}

// ---- produce

struct link {
    int s, partition, in_flight;
    uint8_t *frame;
    size_t count, sent;
    uint8_t in[512];
    size_t have;
    double began[1024];
    int first, last;
};

static void fill(struct link *l, int depth) {
    while (l->in_flight < depth) {
        if (l->sent == 0) l->began[l->last & 1023] = now();
        ssize_t w = send(l->s, l->frame + l->sent, l->count - l->sent, MSG_NOSIGNAL);
        if (w < 0) break;
        if (l->sent == 0) l->last++;
        l->sent += (size_t)w;
        if (l->sent < l->count) break;
        l->sent = 0;
        l->in_flight++;
    }
}

static int produce(char **a) {
    int port = atoi(a[0]), partitions = atoi(a[2]), connections = atoi(a[3]), depth = atoi(a[4]);
    int records = atoi(a[5]), bytes = atoi(a[6]), pid = atoi(a[8]);
    double length = atof(a[7]);
    struct link *links = calloc((size_t)connections, sizeof *links);
    int poll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        struct link *l = &links[i];
        l->s = dial(port, 0);
        l->partition = i % partitions;
        l->frame = produce_frame(a[1], l->partition, records, bytes, &l->count);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
        if (depth * l->count > 32768) e.events |= EPOLLOUT;
        epoll_ctl(poll, EPOLL_CTL_ADD, l->s, &e);
    }
    double done = 0, begin = now(), end = begin + length, measured = 0;
    struct cpu from = cpu_of(pid);
    // The first fifth warms up.
    int warm = 1;
    struct epoll_event events[256];
    for (int i = 0; i < connections; i++) fill(&links[i], depth);
    for (;;) {
        double t = now();
        if (warm && t > begin + length / 5) {
            warm = 0; measured = t; done = 0; sampled = 0; from = cpu_of(pid);
        }
        if (t > end) break;
        int n = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            struct link *l = events[i].data.ptr;
            if (events[i].events & EPOLLIN) {
                ssize_t r = recv(l->s, l->in + l->have, sizeof l->in - l->have, 0);
                if (r == 0) { fprintf(stderr, "the server closed\n"); return 1; }
                if (r > 0) l->have += (size_t)r;
                size_t p = 0;
                double t1 = now();
                while (l->have - p >= 4 && l->have - p >= 4 + (size_t)g32(l->in + p)) {
                    // correlation 4, topics 4, name, partitions 4, index 4, error 2
                    const uint8_t *q = l->in + p + 4 + 4 + 4;
                    q += 2 + (q[0] << 8 | q[1]) + 4 + 4;
                    int error = (int16_t)(q[0] << 8 | q[1]);
                    if (error) { fprintf(stderr, "produce error %d\n", error); return 1; }
                    p += 4 + (size_t)g32(l->in + p);
                    sample(t1 - l->began[l->first++ & 1023]);
                    l->in_flight--;
                    done++;
                }
                memmove(l->in, l->in + p, l->have - p);
                l->have -= p;
            }
            fill(l, depth);
        }
    }
    report("produce", now() - measured, done, done * records, done * (double)links[0].count, from, cpu_of(pid));
    return 0;
}

// ---- fetch: every connection reads its partition from offset 0 again and again

static void send_all(int s, const uint8_t *p, size_t n) {
    while (n) { ssize_t w = send(s, p, n, MSG_NOSIGNAL); if (w <= 0) die("send"); p += w; n -= (size_t)w; }
}
static void recv_all(int s, uint8_t *p, size_t n) {
    while (n) { ssize_t r = recv(s, p, n, 0); if (r <= 0) die("recv"); p += r; n -= (size_t)r; }
}

// Reads an answer, keeps only its head and the place of the last batch header. Returns records' bytes.
static size_t fetch_answer(int s, int64_t *next, uint8_t *all, size_t room) {
    uint8_t head[4];
    recv_all(s, head, 4);
    size_t n = (size_t)g32(head);
    if (n > room) { fprintf(stderr, "answer of %zu bytes\n", n); exit(1); }
    recv_all(s, all, n);
    // correlation 4, throttle 4, error 2, session 4, topics 4, name, partitions 4, index 4, error 2,
    // high watermark 8, stable 8, start 8, aborted 4, replica 4, records 4
    const uint8_t *q = all + 4 + 4 + 2 + 4 + 4;
    q += 2 + (q[0] << 8 | q[1]) + 4 + 4;
    int error = (int16_t)(q[0] << 8 | q[1]);
    if (error) { fprintf(stderr, "fetch error %d\n", error); exit(1); }
    q += 2 + 8 + 8 + 8;
    int aborted = g32(q);
    q += 4 + (aborted > 0 ? aborted * 16 : 0) + 4;
    size_t bytes = (size_t)g32(q);
    q += 4;
    const uint8_t *stop = q + bytes;
    while (stop - q >= 61) {
        size_t length = 12 + (size_t)g32(q + 8);
        if ((size_t)(stop - q) < length) break;
        *next = g64(q) + g32(q + 23) + 1;
        q += length;
    }
    return bytes;
}

static int fetch(char **a) {
    int port = atoi(a[0]), partitions = atoi(a[2]), connections = atoi(a[3]), bytes = atoi(a[4]), pid = atoi(a[6]);
    double length = atof(a[5]), total = 0, requests = 0;
    int *s = calloc((size_t)connections, sizeof *s);
    int64_t *next = calloc((size_t)connections, sizeof *next);
    size_t room = (size_t)bytes + (2 << 20);
    uint8_t *all = malloc(room);
    for (int i = 0; i < connections; i++) s[i] = dial(port, 1);
    struct cpu from = cpu_of(pid);
    double begin = now();
    while (now() < begin + length) {
        for (int i = 0; i < connections; i++) {
            size_t count;
            uint8_t *f = fetch_frame(a[1], i % partitions, next[i], bytes, 0, &count);
            send_all(s[i], f, count);
            free(f);
        }
        for (int i = 0; i < connections; i++) {
            double t = now();
            size_t got = fetch_answer(s[i], &next[i], all, room);
            sample(now() - t);
            if (got == 0) next[i] = 0;
            total += (double)got;
            requests++;
        }
    }
    report("fetch", now() - begin, requests, 0, total, from, cpu_of(pid));
    return 0;
}

// ---- rate: one record a request at a fixed rate; latencies to the ack and to a waiting consumer

static int rate(char **a) {
    int port = atoi(a[0]), per_second = atoi(a[2]), bytes = atoi(a[3]), pid = atoi(a[5]);
    double length = atof(a[4]);
    int p = dial(port, 0), c = dial(port, 0), poll = epoll_create1(0);
    size_t count, fcount, total = (size_t)(per_second * length), acked = 0, seen = 0, sent = 0;
    uint8_t *frame = produce_frame(a[1], 0, 1, bytes, &count);
    double *began = calloc(total + 1, sizeof *began), *e2e = calloc(total + 1, sizeof *e2e);
    static uint8_t pin[1 << 16], cin[4 << 20];
    size_t ph = 0, ch = 0;
    int64_t first = -1, next = 0;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = p};
    epoll_ctl(poll, EPOLL_CTL_ADD, p, &e);
    e.data.fd = c;
    epoll_ctl(poll, EPOLL_CTL_ADD, c, &e);
    struct cpu from = cpu_of(pid);
    double begin = now();
    int fetching = 0;
    while (seen < total && now() < begin + length + 5) {
        double t = now();
        while (sent < total && begin + (double)sent / per_second <= t) {
            began[sent] = begin + (double)sent / per_second;
            if (send(p, frame, count, MSG_NOSIGNAL) != (ssize_t)count) die("send");
            sent++;
        }
        if (first >= 0 && !fetching) {
            uint8_t *f = fetch_frame(a[1], 0, next, 1 << 20, 500, &fcount);
            send_all(c, f, fcount);
            free(f);
            fetching = 1;
        }
        double due = sent < total ? begin + (double)sent / per_second - now() : 0.1;
        struct timespec wait = {0, due > 0 ? (long)(due * 1e9) : 0};
        struct epoll_event events[4];
        int n = epoll_pwait2(poll, events, 4, &wait, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == p) {
                ssize_t r = recv(p, pin + ph, sizeof pin - ph, 0);
                if (r <= 0) die("closed");
                ph += (size_t)r;
                size_t q = 0;
                while (ph - q >= 4 && ph - q >= 4 + (size_t)g32(pin + q)) {
                    const uint8_t *b = pin + q + 12;
                    b += 2 + (b[0] << 8 | b[1]) + 8;
                    if (b[0] | b[1]) { fprintf(stderr, "produce error %d\n", b[0] << 8 | b[1]); return 1; }
                    if (first < 0) { first = g64(b + 2); next = first; }
                    sample(now() - began[acked++]);
                    q += 4 + (size_t)g32(pin + q);
                }
                memmove(pin, pin + q, ph - q);
                ph -= q;
            } else {
                ssize_t r = recv(c, cin + ch, sizeof cin - ch, 0);
                if (r <= 0) die("closed");
                ch += (size_t)r;
                if (ch < 4 || ch < 4 + (size_t)g32(cin)) continue;
                const uint8_t *b = cin + 4 + 18;
                b += 2 + (b[0] << 8 | b[1]) + 8 + 26;
                b += 8;
                size_t got = (size_t)g32(b);
                b += 4;
                const uint8_t *stop = b + got;
                double t1 = now();
                while (stop - b >= 61) {
                    size_t index = (size_t)(g64(b) - first);
                    if (index < total) { e2e[index] = t1 - began[index]; seen++; }
                    next = g64(b) + g32(b + 23) + 1;
                    b += 12 + (size_t)g32(b + 8);
                }
                ch = 0;
                fetching = 0;
            }
        }
    }
    struct cpu to = cpu_of(pid);
    report("rate, to the ack", now() - begin, (double)acked, (double)acked, (double)acked * bytes, from, to);
    sampled = 0;
    for (size_t i = 0; i < seen; i++) sample(e2e[i]);
    report("rate, end to end", now() - begin, (double)seen, (double)seen, (double)seen * bytes, from, to);
    return 0;
}

// ---- idle connections

static long resident(int pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    long kb = 0;
    while (f && fgets(line, sizeof line, f)) sscanf(line, "VmRSS: %ld", &kb);
    if (f) fclose(f);
    return kb;
}

static int idle(char **a) {
    int port = atoi(a[0]), connections = atoi(a[1]), pid = atoi(a[3]);
    double length = atof(a[2]);
    struct rlimit r = {(rlim_t)connections + 64, (rlim_t)connections + 64};
    if (setrlimit(RLIMIT_NOFILE, &r) < 0) die("setrlimit");
    long before = resident(pid);
    for (int i = 0; i < connections; i++) {
        int s = dial(port, 1);
        uint8_t f[64];
        at = f;
        p32(0); p16(18); p16(0); p32(i); ptext("load");
        size_t n = (size_t)(at - f);
        set32(f, (int64_t)n - 4);
        send_all(s, f, n);
        uint8_t head[4], body[4096];
        recv_all(s, head, 4);
        recv_all(s, body, (size_t)g32(head));
    }
    struct cpu from = cpu_of(pid);
    usleep((useconds_t)(length * 1e6));
    struct cpu to = cpu_of(pid);
    printf("{\"mode\": \"idle\", \"connections\": %d, \"before_kb\": %ld, \"after_kb\": %ld, \"kb_per_connection\": %.2f, \"cpu_s\": %.2f}\n",
        connections, before, resident(pid), (double)(resident(pid) - before) / connections,
        to.user + to.system - from.user - from.system);
    return 0;
}

int main(int count, char **a) {
    if (count == 11 && !strcmp(a[1], "produce")) return produce(a + 2);
    if (count == 9 && !strcmp(a[1], "fetch")) return fetch(a + 2);
    if (count == 8 && !strcmp(a[1], "rate")) return rate(a + 2);
    if (count == 6 && !strcmp(a[1], "idle")) return idle(a + 2);
    fprintf(stderr, "usage: see the head of load.c\n");
    return 2;
}
