// A server that tells what comes, as ours do: it answers, and writes the tutorial's lines
// to standard output. One thread: epoll, and recvmsg or recv; before each wait one write
// of the lines since the last. So it costs what a plain program costs that does the same
// as ours at the rates of monitoring, where a write for an exchange is a good part of it.
// (It waits if its output does, which a server must not.)
//
// usage: teller udp|tcp
//
// tcp: no reply is lost to a reset, as in tcp-server.c's careful way. Listens on
// 127.0.0.1. It ends by a signal, or with exit status 1 when the system fails, 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, MOST_EVENTS = 64, MOST_BYTES = 1024, MOST_DESCRIPTORS = 65536 };

static bool tcp;
static int epoll, listener; // or the only socket
static bool is_answered[MOST_DESCRIPTORS];
static char lines[MOST_EVENTS * 2 * (MOST_BYTES + 100)];
static size_t length;

static void fail(const char *what) {
    fprintf(stderr, "teller: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void tell(const char *format, ...) {
    va_list values;
    va_start(values, format);
    length += (size_t)vsnprintf(lines + length, sizeof lines - length, format, values);
    va_end(values);
}

// A peer must not draw on the terminal.
static const char *safe(char *text, ssize_t size) {
    for (ssize_t i = 0; i < size; i++)
        if (!isprint((unsigned char)text[i]))
            text[i] = '?';
    text[size] = '\0';
    return text;
}

static const char *name(const struct sockaddr_in *peer) {
    static char text[INET_ADDRSTRLEN];
    return inet_ntop(AF_INET, &peer->sin_addr, text, sizeof text);
}

static void wait_for(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static void answer_datagram(void) {
    char buffer[MOST_BYTES + 1];
    struct sockaddr_in peer;
    struct iovec room = {buffer, MOST_BYTES};
    struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &room, .msg_iovlen = 1};
    ssize_t size = recvmsg(listener, &message, MSG_DONTWAIT);
    if (size < 0)
        return;
    sendto(listener, "Recvice message ok!", 19, 0, (struct sockaddr *)&peer, sizeof peer);
    tell("[*] Received from: %s:%d\n%s\n[*] Waiting for message...\n", name(&peer), ntohs(peer.sin_port),
         safe(buffer, size));
}

static void step(int fd) {
    char buffer[MOST_BYTES + 1];
    ssize_t size = recv(fd, buffer, MOST_BYTES, 0);
    if (size >= 0 && !is_answered[fd]) {
        send(fd, "ACK!", 4, MSG_NOSIGNAL | MSG_MORE);
        is_answered[fd] = shutdown(fd, SHUT_WR) == 0;
        tell("[*] Received: %s\n", safe(buffer, size));
    } else if (size <= 0) {
        is_answered[fd] = false;
    }
    if (!is_answered[fd])
        close(fd);
}

static void accept_one(void) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= MOST_DESCRIPTORS)
        close(fd);
    if (fd < 0 || fd >= MOST_DESCRIPTORS)
        return;
    tell("[*] Accept connection from: %s:%d\n", name(&peer), ntohs(peer.sin_port));
    wait_for(fd);
}

int main(int argc, char **argv) {
    tcp = argc == 2 && strcmp(argv[1], "tcp") == 0;
    if (argc != 2 || (!tcp && strcmp(argv[1], "udp") != 0)) {
        fprintf(stderr, "usage: teller udp|tcp\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        (tcp && listen(listener, BACKLOG) != 0) || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail("listen");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    wait_for(listener);
    tell("[*] Listening on 127.0.0.1:%d\n", ntohs(address.sin_port));

    for (;;) {
        if (length > 0 && write(STDOUT_FILENO, lines, length) < 0)
            fail("write");
        length = 0;
        struct epoll_event events[MOST_EVENTS];
        int ready = epoll_wait(epoll, events, MOST_EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listener)
                step(events[i].data.fd);
            else if (tcp)
                accept_one();
            else
                answer_datagram();
        }
    }
}
