// Exchanges messages for replies, one after another, and does nothing else. So it
// measures the least time that a reply can take on this machine.
//
// usage: pingpong udp|connected|tcp ADDRESS PORT N
//
// udp: one socket, with sendto, recvfrom, and a look at who answered. connected:
// the same with a connected socket, for which the kernel has looked up the route
// once, and to which nobody else can answer. tcp: connect, send, recv and close for
// each exchange. All calls block. The time of a reply is from just before the
// message is sent to just after the reply is received; that of connecting is from
// just before connect to just after it.
//
// Prints a JSON object. Exit status: 0 all were answered, 1 one was not within 10 s,
// 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char MESSAGE[] = "hehe, just for a test!";
static const char *const REPLIES[] = {"Recvice message ok!", "ACK!"};

static void fail(const char *what) {
    fprintf(stderr, "pingpong: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int open_socket(bool tcp) {
    int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    return fd;
}

static void connect_to(int fd, const struct sockaddr_in *server) {
    if (connect(fd, (const struct sockaddr *)server, sizeof *server) != 0)
        fail("connect");
}

static void limit(int fd) {
    const struct timeval ten = {.tv_sec = 10};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten) != 0)
        fail("setsockopt");
}

// Makes one exchange, and returns its time in ns. `server` is NULL if the socket is
// connected.
static uint64_t exchange(int fd, const struct sockaddr_in *server, const char *reply) {
    char buffer[1024];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    uint64_t start = now();
    if (sendto(fd, MESSAGE, sizeof MESSAGE - 1, 0, (const struct sockaddr *)server,
               server ? sizeof *server : 0) != sizeof MESSAGE - 1)
        fail("send");
    ssize_t length = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)(server ? &from : NULL),
                              server ? &size : NULL);
    uint64_t end = now();
    if (length < 0)
        fail("recv");
    if (server && (from.sin_addr.s_addr != server->sin_addr.s_addr || from.sin_port != server->sin_port)) {
        errno = EBADMSG;
        fail("source");
    }
    if ((size_t)length != strlen(reply) || memcmp(buffer, reply, (size_t)length) != 0) {
        errno = EBADMSG;
        fail("reply");
    }
    return end - start;
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

// Sorts `times`, and prints their number, median, p99 and mean.
static void print(const char *name, uint64_t *times, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)times[i];
    qsort(times, count, sizeof *times, ascending);
    printf("\"%s\":{\"samples\":%zu,\"p50\":%lu,\"p99\":%lu,\"mean\":%.0f}", name, count,
           (unsigned long)times[(count - 1) / 2], (unsigned long)times[(count - 1) * 99 / 100],
           sum / (double)count);
}

int main(int argc, char **argv) {
    struct sockaddr_in server = {.sin_family = AF_INET};
    bool tcp = argc == 5 && strcmp(argv[1], "tcp") == 0;
    bool connected = argc == 5 && strcmp(argv[1], "connected") == 0;
    long count = argc == 5 ? atol(argv[4]) : 0;
    if (count < 1 || (!tcp && !connected && strcmp(argv[1], "udp") != 0) ||
        inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: pingpong udp|connected|tcp ADDRESS PORT N\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    uint64_t *connects = calloc((size_t)count, sizeof *connects);
    uint64_t *replies = calloc((size_t)count, sizeof *replies);
    if (connects == NULL || replies == NULL)
        fail("memory");

    int fd = -1;
    if (!tcp) {
        fd = open_socket(tcp);
        if (connected)
            connect_to(fd, &server);
        limit(fd);
    }
    for (long i = 0; i < count; i++) {
        if (tcp) {
            fd = open_socket(tcp);
            uint64_t start = now();
            connect_to(fd, &server);
            connects[i] = now() - start;
        }
        replies[i] = exchange(fd, tcp || connected ? NULL : &server, REPLIES[tcp]);
        if (tcp)
            close(fd);
    }

    printf("{");
    print("reply_ns", replies, (size_t)count);
    if (tcp) {
        printf(",");
        print("connect_ns", connects, (size_t)count);
    }
    printf("}\n");
    return 0;
}
