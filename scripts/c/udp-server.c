// Answers each datagram, and does nothing else: what a server costs that prints
// nothing, counts nothing and trusts everybody. One thread, blocking calls.
//
// usage: udp-server plain|careful
//
// plain: recvfrom, sendto. careful: up to 64 datagrams with one recvmmsg, and their
// replies with one sendmmsg, in which neighbours of the same peer are one message that
// the kernel cuts up (UDP_SEGMENT, udp(7)).
//
// Its socket is the one that a service manager passes (sd_listen_fds(3)) or, without
// one, is bound to 127.0.0.1; it prints the port. It ends by a signal, or with exit
// status 1 when it cannot receive, 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, MOST_BYTES = 1024, PASSED = 3 };

static char reply[] = "Recvice message ok!";

static void fail(const char *what) {
    fprintf(stderr, "udp-server: %s: %s\n", what, strerror(errno));
    exit(1);
}

// One that cannot be sent is its peer's loss alone.
static void serve_plainly(int fd) {
    for (;;) {
        char buffer[MOST_BYTES];
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &size) >= 0)
            sendto(fd, reply, sizeof reply - 1, 0, (struct sockaddr *)&peer, size);
        else if (errno != EINTR)
            fail("recvfrom");
    }
}

static char buffers[BATCH][MOST_BYTES];
static struct sockaddr_in peers[BATCH];
static struct iovec rooms[BATCH], texts[BATCH];
static struct mmsghdr received[BATCH], runs[BATCH];
static union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
} segment;

// Makes runs of the peers' replies, and returns how many.
static unsigned gather(int count) {
    unsigned last = 0, found = 0;
    for (int i = 0; i < count; i++) {
        struct msghdr *run = &runs[last].msg_hdr;
        if (i > 0 && peers[i].sin_port == peers[i - 1].sin_port &&
            peers[i].sin_addr.s_addr == peers[i - 1].sin_addr.s_addr) {
            run->msg_iovlen++;
            run->msg_control = &segment;
            run->msg_controllen = sizeof segment;
        } else {
            last = found++;
            runs[last].msg_hdr =
                (struct msghdr){.msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = texts, .msg_iovlen = 1};
        }
    }
    return found;
}

static void serve_batches(int fd) {
    segment.header = (struct cmsghdr){CMSG_LEN(sizeof(uint16_t)), IPPROTO_UDP, UDP_SEGMENT};
    *(uint16_t *)(void *)CMSG_DATA(&segment.header) = sizeof reply - 1;
    for (int i = 0; i < BATCH; i++) {
        rooms[i] = (struct iovec){buffers[i], sizeof buffers[i]};
        texts[i] = (struct iovec){reply, sizeof reply - 1};
        received[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &rooms[i], .msg_iovlen = 1};
    }
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            received[i].msg_hdr.msg_namelen = sizeof peers[i];
        int count = recvmmsg(fd, received, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0 && errno != EINTR)
            fail("recvmmsg");
        unsigned found = gather(count);
        for (unsigned sent = 0; sent < found;) {
            int now = sendmmsg(fd, runs + sent, found - sent, 0);
            sent += now > 0 ? (unsigned)now : 1; // the first that was not sent is given up
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 2 || (strcmp(argv[1], "plain") != 0 && strcmp(argv[1], "careful") != 0)) {
        fprintf(stderr, "usage: udp-server plain|careful\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = PASSED;
    if (!getenv("LISTEN_FDS")) {
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0)
            fail("bind");
    }
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        fail("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (strcmp(argv[1], "plain") == 0)
        serve_plainly(fd);
    else
        serve_batches(fd);
}
