// Exchanges messages for replies as fast as it can, with so many in flight at
// once. It has one thread with an epoll loop, and measures no single exchange.
//
// usage: load udp|tcp ADDRESS PORT FLOWS N
//
// UDP: each flow has a connected socket. TCP: each exchange has a connection.
// There are N exchanges in all: a flow that has made one takes the next.
//
// Prints a JSON object: the exchanges, the seconds that they took, and the seconds
// of CPU time. Exit status: 0 all were answered, 1 one was not (it ends when none
// is answered for 10 s), 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FLOWS = 1000, PATIENCE_MS = 10000 };

static const char MESSAGE[] = "hehe, just for a test!";
static const char *const REPLIES[] = {"Recvice message ok!", "ACK!"};

static bool tcp;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int epoll;
static long unstarted;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_message(int fd) {
    if (send(fd, MESSAGE, sizeof MESSAGE - 1, MSG_NOSIGNAL) != sizeof MESSAGE - 1)
        fail("send");
}

// Opens a socket and begins to connect it. A TCP connection stands once its socket
// is writable.
static int open_socket(void) {
    int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        fail("socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS)
        fail("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | (tcp ? EPOLLOUT : 0), .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
    return fd;
}

// Begins the next exchange of a flow, if one is left. A flow without a socket has
// the descriptor -1.
static void begin(int fd) {
    if (unstarted == 0)
        return;
    unstarted--;
    if (fd < 0)
        fd = open_socket();
    if (!tcp)
        send_message(fd);
}

// Whether the reply is here. recv also returns any error of the socket.
static bool receive(int fd) {
    char buffer[1024];
    ssize_t length = recv(fd, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EAGAIN)
        return false;
    if (length < 0)
        fail("recv");
    if ((size_t)length != strlen(REPLIES[tcp]) || memcmp(buffer, REPLIES[tcp], (size_t)length) != 0) {
        errno = EBADMSG;
        fail("reply");
    }
    return true;
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(long flows, long count) {
    unstarted = count;
    for (long i = 0; i < flows; i++)
        begin(-1);
    for (long done = 0; done < count;) {
        struct epoll_event events[MOST_FLOWS];
        int ready = epoll_wait(epoll, events, MOST_FLOWS, PATIENCE_MS);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready <= 0)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if ((events[i].events & ~(unsigned)EPOLLOUT) == 0) {
                send_message(fd); // the connection stands
            } else if (receive(fd)) {
                done++;
                if (tcp)
                    close(fd);
                begin(tcp ? -1 : fd);
            }
        }
    }
}

int main(int argc, char **argv) {
    tcp = argc == 6 && strcmp(argv[1], "tcp") == 0;
    long flows = argc == 6 ? atol(argv[4]) : 0, count = argc == 6 ? atol(argv[5]) : 0;
    if (flows < 1 || flows > MOST_FLOWS || count < 1 || (!tcp && strcmp(argv[1], "udp") != 0) ||
        inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: load udp|tcp ADDRESS PORT FLOWS N (at most %d flows)\n", MOST_FLOWS);
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");

    double start = seconds();
    run(flows, count);
    double elapsed = seconds() - start;

    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"exchanges\":%ld,\"seconds\":%.6f,\"user_seconds\":%ld.%06ld,\"system_seconds\":%ld.%06ld}\n",
           count, elapsed, used.ru_utime.tv_sec, used.ru_utime.tv_usec, used.ru_stime.tv_sec,
           used.ru_stime.tv_usec);
    return 0;
}
