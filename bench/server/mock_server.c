/* An OpenAI-compatible server with a fixed latency: one thread, epoll, no allocation per reply.
 *
 * usage: mock_server LATENCY_MS [PORT]
 *
 * It prints its port on the first line of stdout and answers until it is killed. A chat request is
 * answered with the word after the last "label:" in its body, or with "none". A body that asks for
 * DSPy's field markers gets the word between those markers. GET /stats returns the counters.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_WORD = 64, REPLY_SIZE = 1024, FIRST_BUFFER = 8192 };
enum { MAX_REQUEST = 64 * 1024 * 1024 };

typedef struct {
    int open;
    uint32_t generation; /* tells a waiting reply that its connection is gone */
    int waiting;         /* a reply is due: the next request is read after it */
    char *buffer;
    size_t used, size;
} Connection;

typedef struct {
    uint64_t due; /* nanoseconds */
    int fd;
    uint32_t generation;
    uint64_t prompt_tokens;
    int for_dspy;
    char word[MAX_WORD];
} Pending;

/* Latency is the same for all, so the queue of replies is in order of time: a ring, not a heap. */
static Pending ring[MAX_CONNECTIONS];
static unsigned head, tail;
static Connection connections[MAX_CONNECTIONS];
static int poller, timer;
static uint64_t latency;
static uint64_t requests, answered, bad, accepted, most_in_flight, prompt_tokens_sent;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void arm_timer(void) {
    struct itimerspec when = {0};
    if (head != tail) {
        uint64_t due = ring[head % MAX_CONNECTIONS].due;
        when.it_value.tv_sec = (time_t)(due / 1000000000u);
        when.it_value.tv_nsec = (long)(due % 1000000000u);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void drop(int fd) {
    Connection *c = &connections[fd];
    c->open = 0;
    c->generation++;
    c->waiting = 0;
    c->used = 0;
    close(fd);
}

/* Replies are far smaller than a socket's send buffer, so a short write means a dead peer. */
static void send_json(int fd, const char *status, const char *json, int length) {
    char reply[REPLY_SIZE + 256];
    int n = snprintf(reply, sizeof reply,
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                     "Connection: keep-alive\r\n\r\n%.*s",
                     status, length, length, json);
    if (send(fd, reply, (size_t)n, MSG_NOSIGNAL) != n) drop(fd);
}

static void send_answer(const Pending *p) {
    char content[MAX_WORD + 96], json[REPLY_SIZE];
    if (p->for_dspy)
        snprintf(content, sizeof content,
                 "[[ ## label ## ]]\\n%s\\n\\n[[ ## completed ## ]]", p->word);
    else
        snprintf(content, sizeof content, "%s", p->word);
    int n = snprintf(json, sizeof json,
                     "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion\",\"created\":1700000000,"
                     "\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                     "\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
                     "{\"prompt_tokens\":%llu,\"completion_tokens\":1,\"total_tokens\":%llu}}",
                     (unsigned long long)answered, content, (unsigned long long)p->prompt_tokens,
                     (unsigned long long)p->prompt_tokens + 1);
    answered++;
    prompt_tokens_sent += p->prompt_tokens;
    send_json(p->fd, "200 OK", json, n);
}

static void send_stats(int fd) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    char json[REPLY_SIZE];
    int n = snprintf(json, sizeof json,
                     "{\"requests\":%llu,\"answered\":%llu,\"bad\":%llu,\"connections\":%llu,"
                     "\"max_in_flight\":%llu,\"prompt_tokens\":%llu,\"cpu_seconds\":%.3f}",
                     (unsigned long long)requests, (unsigned long long)answered,
                     (unsigned long long)bad, (unsigned long long)accepted,
                     (unsigned long long)most_in_flight, (unsigned long long)prompt_tokens_sent,
                     cpu);
    send_json(fd, "200 OK", json, n);
}

static int is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void find_word(const char *body, size_t length, char *word) {
    static const char mark[] = "label:";
    size_t n = sizeof mark - 1;
    for (size_t i = length >= n ? length - n + 1 : 0; i-- > 0;) {
        if (memcmp(body + i, mark, n) != 0 || i + n >= length || !is_word(body[i + n])) continue;
        size_t k = 0;
        while (i + n + k < length && k + 1 < MAX_WORD && is_word(body[i + n + k])) {
            word[k] = body[i + n + k];
            k++;
        }
        word[k] = 0;
        return;
    }
    strcpy(word, "none");
}

static void queue_answer(int fd, const char *body, size_t length) {
    Pending *p = &ring[tail % MAX_CONNECTIONS];
    p->due = now() + latency;
    p->fd = fd;
    p->generation = connections[fd].generation;
    p->prompt_tokens = length / 4;
    p->for_dspy = memmem(body, length, "[[ ## completed ## ]]", 21) != NULL;
    find_word(body, length, p->word);
    connections[fd].waiting = 1;
    tail++;
    if (tail - head > most_in_flight) most_in_flight = tail - head;
    if (tail - head == 1) arm_timer();
}

/* The length that the headers state; 0 when they state none, -1 when it cannot be read. */
static long long body_length(const char *headers, const char *end) {
    for (const char *line = headers; line && line < end;) {
        if (!strncasecmp(line, "content-length:", 15)) return strtoll(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding:", 18)) return -1;
        line = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (line) line += 2;
    }
    return 0;
}

static int ends_with_chat(const char *start, const char *end) {
    static const char path[] = "/chat/completions ";
    return memmem(start, (size_t)(end - start), path, sizeof path - 1) != NULL;
}

static void answer_request(int fd, const char *start, const char *line_end, const char *body,
                           size_t length) {
    static const char models[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\"}]}";
    static const char unknown[] = "{\"error\":{\"message\":\"unknown path\",\"type\":\"not_found\"}}";
    if (!strncmp(start, "POST ", 5) && ends_with_chat(start, line_end)) {
        requests++;
        queue_answer(fd, body, length);
    } else if (!strncmp(start, "GET /stats ", 11)) {
        send_stats(fd);
    } else if (!strncmp(start, "GET /v1/models ", 15)) {
        send_json(fd, "200 OK", models, sizeof models - 1);
    } else {
        bad++;
        send_json(fd, "404 Not Found", unknown, sizeof unknown - 1);
    }
}

/* Takes whole requests out of the buffer until one has to wait for its reply. */
static void serve_buffer(int fd) {
    Connection *c = &connections[fd];
    while (c->open && !c->waiting && c->used) {
        char *end = memmem(c->buffer, c->used, "\r\n\r\n", 4);
        if (!end) return;
        char *line_end = memmem(c->buffer, c->used, "\r\n", 2);
        long long length = body_length(line_end + 2, end + 2);
        if (length < 0 || length > MAX_REQUEST) {
            bad++;
            drop(fd);
            return;
        }
        size_t whole = (size_t)(end + 4 - c->buffer) + (size_t)length;
        if (c->used < whole) return;
        answer_request(fd, c->buffer, line_end, end + 4, (size_t)length);
        if (!c->open) return;
        memmove(c->buffer, c->buffer + whole, c->used - whole);
        c->used -= whole;
    }
}

static void read_from(int fd) {
    Connection *c = &connections[fd];
    for (;;) {
        if (c->used == c->size) {
            c->size = c->size ? c->size * 2 : FIRST_BUFFER;
            c->buffer = realloc(c->buffer, c->size);
            if (!c->buffer) fail("realloc");
        }
        ssize_t n = recv(fd, c->buffer + c->used, c->size - c->used, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n <= 0) {
            drop(fd);
            return;
        }
        c->used += (size_t)n;
        if (c->used < c->size) break; /* level-triggered: what is left wakes us again */
    }
    serve_buffer(fd);
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd].open = 1;
        connections[fd].used = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        accepted++;
    }
}

static void send_due(void) {
    uint64_t expirations;
    if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) fail("timer");
    uint64_t time = now();
    while (head != tail && ring[head % MAX_CONNECTIONS].due <= time) {
        Pending p = ring[head % MAX_CONNECTIONS];
        head++;
        Connection *c = &connections[p.fd];
        if (!c->open || c->generation != p.generation) continue;
        c->waiting = 0;
        send_answer(&p);
        serve_buffer(p.fd);
    }
    arm_timer();
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(fd, MAX_CONNECTIONS)) fail("listen");
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: mock_server LATENCY_MS [PORT]\n");
        return 2;
    }
    latency = (uint64_t)(atof(argv[1]) * 1e6);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller < 0 || timer < 0) fail("epoll");
    int listener = listen_on(argc > 2 ? atoi(argv[2]) : 0);
    watch(listener);
    watch(timer);
    struct epoll_event events[512];
    for (;;) {
        int n = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener);
            else if (fd == timer)
                send_due();
            else if (connections[fd].open)
                read_from(fd);
        }
    }
}
