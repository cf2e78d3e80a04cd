// Many clients at once, in one thread with an epoll loop: makes load for a server, and
// takes the time of each reply. (load.c takes none, and is what clients compare with.)
//
// usage: crowd udp|bursts|tcp ADDRESS PORT SOCKETS OUTSTANDING MILLISECONDS
//
// UDP: each socket is connected, and has so many messages outstanding: for the replies
// that it finds it sends as many messages, with one call each (recvmmsg, sendmmsg). A
// socket's replies are taken to be in order, so that after a loss its times are too long.
// bursts: the same, but the messages that a socket sends at a time are one that the kernel
// cuts up, and it takes replies that the kernel has put together (UDP_SEGMENT and UDP_GRO,
// udp(7)). So the load costs much less than a server, which is busy all the time.
// TCP: each exchange has a connection, which is closed when the reply is here, and whose
// time begins before connect; OUTSTANDING is 1.
//
// When nothing comes for a while, what is outstanding counts as lost, and all begin anew.
// After so many milliseconds nothing is sent any more, and what is outstanding is awaited.
//
// Prints a JSON object: exchanges, how many were lost, the seconds until the last reply,
// and quantiles of the reply times in us (0 if there are none). Exit status: 0 there was
// a reply, 1 there was none or the system failed, 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 65536, MOST_SOCKETS = 1000, MOST_OUTSTANDING = 64, MOST_MS = 10000, MOST_TIMES = 1 << 22 };
// Longer than it takes until a SYN is sent again, and than a busy machine lets a server wait for its core.
enum { PATIENCE_MS = 2000 };

static char message[] = "hehe, just for a test!";
static const char *const REPLIES[] = {"Recvice message ok!", "ACK!"};

struct client {
    int fd;
    unsigned oldest, outstanding; // of `sent`, a ring
    uint64_t sent[MOST_OUTSTANDING]; // when, in ns
};

static bool tcp, in_bursts;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int epoll;
static struct client clients[MOST_SOCKETS];
static long sockets, outstanding;
static struct mmsghdr messages[MOST_OUTSTANDING], replies[MOST_OUTSTANDING];
static char buffers[MOST_OUTSTANDING][64];
static char burst[MOST_OUTSTANDING * sizeof message];
static uint32_t times[MOST_TIMES]; // in ns
static long exchanges, lost;
static uint64_t end; // when no more is sent, in ns

static void fail(const char *what) {
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void note_sent(struct client *client, uint64_t at) {
    client->sent[(client->oldest + client->outstanding++) % MOST_OUTSTANDING] = at;
}

static void note_reply(struct client *client, uint64_t at) {
    uint64_t time = at - client->sent[client->oldest++ % MOST_OUTSTANDING];
    client->outstanding--;
    times[exchanges++] = time < UINT32_MAX ? (uint32_t)time : UINT32_MAX;
}

static void send_datagrams(struct client *client, unsigned count, uint64_t at) {
    int sent;
    if (in_bursts)
        sent = send(client->fd, burst, count * (sizeof message - 1), 0) > 0 ? (int)count : 0;
    else
        sent = sendmmsg(client->fd, messages, count, 0);
    for (int i = 0; i < sent; i++)
        note_sent(client, at);
    lost += (long)count - (sent > 0 ? sent : 0);
}

static void set_bursts(int fd) {
    const int size = sizeof message - 1, on = 1;
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0 ||
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0)
        fail("setsockopt");
}

static void begin(struct client *client, uint64_t at) {
    client->oldest = client->outstanding = 0;
    client->fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail("socket");
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS)
        fail("connect");
    if (in_bursts)
        set_bursts(client->fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | (tcp ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("epoll_ctl");
    if (tcp)
        note_sent(client, at);
    else
        send_datagrams(client, (unsigned)outstanding, at);
}

// Closes a socket. What is outstanding on it is lost.
static void finish(struct client *client) {
    lost += client->outstanding;
    client->outstanding = 0;
    close(client->fd);
    client->fd = -1;
}

static bool is_reply(const char *text, size_t length) {
    return length == strlen(REPLIES[tcp]) && memcmp(text, REPLIES[tcp], length) == 0;
}

static void expect_reply(const char *text, size_t length) {
    if (!is_reply(text, length)) {
        errno = EBADMSG;
        fail("reply");
    }
}

// Receives replies that the kernel has put together. Returns how many.
static int receive_burst(int fd) {
    static char text[MOST_BYTES];
    ssize_t length = recv(fd, text, sizeof text, 0);
    int count = 0;
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(REPLIES[0]), count++)
        expect_reply(text + at, length - at < (ssize_t)strlen(REPLIES[0]) ? 0 : strlen(REPLIES[0]));
    return count;
}

static int receive_separately(const struct client *client) {
    int count = recvmmsg(client->fd, replies, client->outstanding, 0, NULL);
    for (int i = 0; i < count; i++)
        expect_reply(buffers[i], replies[i].msg_len);
    return count;
}

static void receive_datagrams(struct client *client) {
    int count, sum = 0;
    do {
        count = in_bursts ? receive_burst(client->fd) : receive_separately(client);
        sum += count > 0 ? count : 0;
    } while (in_bursts && count > 0);
    if (sum == 0) // also of a datagram that was refused: its patience ends
        return;
    uint64_t at = now();
    for (int i = 0; i < sum; i++)
        note_reply(client, at);
    if (at < end)
        send_datagrams(client, (unsigned)sum, at);
}

static void step_connection(struct client *client, unsigned events) {
    bool is_new = (events & ~(unsigned)EPOLLOUT) == 0; // it stands, and nothing has come
    ssize_t length = is_new ? send(client->fd, message, sizeof message - 1, MSG_NOSIGNAL)
                            : recv(client->fd, buffers[0], sizeof buffers[0], 0);
    if (is_new ? length > 0 : length < 0 && errno == EAGAIN)
        return;
    uint64_t at = now();
    if (!is_new && length > 0 && is_reply(buffers[0], (size_t)length))
        note_reply(client, at);
    finish(client);
    if (at < end)
        begin(client, at);
}

static long awaited(void) {
    long sum = 0;
    for (long i = 0; i < sockets; i++)
        sum += clients[i].outstanding;
    return sum;
}

// Returns when the last reply came, in ns.
static uint64_t run(void) {
    uint64_t last = now();
    for (long i = 0; i < sockets; i++)
        begin(&clients[i], last);
    // Each event brings at most MOST_OUTSTANDING times: none is written beyond the end.
    while (exchanges < MOST_TIMES - MOST_SOCKETS * MOST_OUTSTANDING && (now() < end || awaited() > 0)) {
        struct epoll_event events[MOST_SOCKETS];
        int ready = epoll_wait(epoll, events, MOST_SOCKETS, PATIENCE_MS);
        if (ready < 0)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (tcp)
                step_connection(client, events[i].events);
            else
                receive_datagrams(client);
        }
        if (ready > 0)
            last = now();
        for (long i = 0; ready == 0 && i < sockets; i++) {
            finish(&clients[i]);
            if (now() < end)
                begin(&clients[i], now());
        }
    }
    return last;
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double quantile(double share) {
    return exchanges ? times[(long)((double)(exchanges - 1) * share)] / 1000.0 : 0;
}

int main(int argc, char **argv) {
    tcp = argc == 7 && strcmp(argv[1], "tcp") == 0;
    in_bursts = argc == 7 && strcmp(argv[1], "bursts") == 0;
    sockets = argc == 7 ? atol(argv[4]) : 0;
    outstanding = argc == 7 ? atol(argv[5]) : 0;
    long ms = argc == 7 ? atol(argv[6]) : 0;
    if (sockets < 1 || sockets > MOST_SOCKETS || outstanding < 1 || outstanding > (tcp ? 1 : MOST_OUTSTANDING) ||
        ms < 1 || ms > MOST_MS || (!tcp && !in_bursts && strcmp(argv[1], "udp") != 0) ||
        inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: crowd udp|bursts|tcp ADDRESS PORT SOCKETS OUTSTANDING MILLISECONDS\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    static struct iovec text = {message, sizeof message - 1}, rooms[MOST_OUTSTANDING];
    for (int i = 0; i < MOST_OUTSTANDING; i++) {
        memcpy(burst + (size_t)i * (sizeof message - 1), message, sizeof message - 1);
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &text, .msg_iovlen = 1};
        rooms[i] = (struct iovec){buffers[i], sizeof buffers[i]};
        replies[i].msg_hdr = (struct msghdr){.msg_iov = &rooms[i], .msg_iovlen = 1};
    }

    uint64_t start = now();
    end = start + (uint64_t)ms * 1000000;
    uint64_t last = run();

    qsort(times, (size_t)exchanges, sizeof *times, ascending);
    printf("{\"exchanges\":%ld,\"lost\":%ld,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n",
           exchanges, lost, (double)(last - start) / 1e9, quantile(0.5), quantile(0.99), quantile(0.999));
    return exchanges > 0 ? 0 : 1;
}
