// Probes a server at the rate of monitoring, as our clients do: a probe a second from
// each flow, on time whatever becomes of the others. It has one thread with an epoll
// loop and a timer (timerfd), and does no more than that needs.
//
// usage: prober udp|tcp ADDRESS PORT FLOWS N
//
// Each flow sends N probes, a second apart; the flows' starts are spread evenly over
// the first second (as in crates/common/src/probe/schedule.rs). UDP: each flow has a
// socket, not connected, with sendto and a look at who answered. TCP: each probe has a
// connection. The time of a reply is from just before the message is sent to the
// kernel's stamp of the reply (SO_TIMESTAMPNS; if there is none, to when it is seen),
// both on the wall clock. A reply that is not here when its flow's next probe is due is
// lost.
//
// Prints a JSON object: the probes sent and answered, and the least, mean and greatest
// time of a reply. Exit status: 0 all were answered, 1 one was not, 2 usage.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FLOWS = 10000, TIMER = MOST_FLOWS, AT_ONCE = 64 };
static const int64_t SECOND = 1000000000;

static const char MESSAGE[] = "hehe, just for a test!";
static const char *const REPLIES[] = {"Recvice message ok!", "ACK!"};

static struct flow {
    int fd;       // -1: none
    int64_t sent; // when the probe that is under way was sent, in ns; 0: none is
} flows[MOST_FLOWS + 1];

static bool tcp;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int epoll, timer;
static long sent, answered;
static int64_t least = INT64_MAX, most, sum;

static void fail(const char *what) {
    fprintf(stderr, "prober: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static int stamped_socket(int type) {
    const int on = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0)
        fail("socket");
    return fd;
}

// A TCP socket begins to connect. Its connection stands once the socket is writable.
static void open_socket(struct flow *flow) {
    flow->fd = stamped_socket(tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (tcp && connect(flow->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS)
        fail("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | (tcp ? EPOLLOUT : 0),
                                .data.u64 = (uint64_t)(flow - flows)};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, flow->fd, &event) != 0)
        fail("epoll_ctl");
}

static void send_message(struct flow *flow) {
    flow->sent = now(CLOCK_REALTIME);
    if (sendto(flow->fd, MESSAGE, sizeof MESSAGE - 1, MSG_NOSIGNAL, tcp ? NULL : (struct sockaddr *)&server,
               tcp ? 0 : sizeof server) != sizeof MESSAGE - 1)
        fail("send");
}

static void begin(struct flow *flow) {
    if (tcp && flow->fd >= 0)
        close(flow->fd); // its probe is lost
    if (tcp || flow->fd < 0)
        open_socket(flow);
    if (!tcp)
        send_message(flow);
}

static int64_t arrival(struct msghdr *message) {
    struct cmsghdr *stamp = CMSG_FIRSTHDR(message);
    if (!stamp || stamp->cmsg_type != SCM_TIMESTAMPNS)
        return now(CLOCK_REALTIME);
    struct timespec time;
    memcpy(&time, CMSG_DATA(stamp), sizeof time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

// Receives what has come to a flow. A reply that is not the server's, or not the expected
// one, does not count.
static void receive(struct flow *flow) {
    char buffer[1024], control[CMSG_SPACE(sizeof(struct timespec))];
    struct sockaddr_in from = server;
    struct iovec place = {.iov_base = buffer, .iov_len = sizeof buffer};
    struct msghdr message = {.msg_name = tcp ? NULL : &from, .msg_namelen = tcp ? 0 : sizeof from, .msg_iov = &place,
                             .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(flow->fd, &message, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length < 0)
        fail("recvmsg");
    if (flow->sent != 0 && from.sin_addr.s_addr == server.sin_addr.s_addr && from.sin_port == server.sin_port &&
        (size_t)length == strlen(REPLIES[tcp]) && memcmp(buffer, REPLIES[tcp], (size_t)length) == 0) {
        int64_t took = arrival(&message) - flow->sent;
        least = took < least ? took : least;
        most = took > most ? took : most;
        sum += took;
        answered++;
        flow->sent = 0;
    }
    if (tcp) {
        close(flow->fd);
        flow->fd = -1;
    }
}

static void set_timer(int64_t at) {
    const struct itimerspec once = {.it_value = {.tv_sec = at / SECOND, .tv_nsec = at % SECOND}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &once, NULL) != 0)
        fail("timerfd_settime");
}

// Waits for what comes next, and deals with it. Returns whether the timer has gone off.
static bool wait_for_events(void) {
    bool is_due = false;
    struct epoll_event events[AT_ONCE];
    int ready = epoll_wait(epoll, events, AT_ONCE, -1);
    if (ready < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
        struct flow *flow = &flows[events[i].data.u64];
        if (events[i].data.u64 == TIMER)
            is_due = true;
        else if ((events[i].events & ~(unsigned)EPOLLOUT) == 0)
            send_message(flow); // the connection stands
        else
            receive(flow);
    }
    return is_due;
}

// Sends the probes that are due, and sets the timer for the next one. A second after the
// last one is the end.
static void run(long count, long probes) {
    const int64_t start = now(CLOCK_MONOTONIC), end = start + SECOND * (probes + count) / count;
    // The flows take turns, so the probe that is due next is the one with the next number.
    for (int64_t at = start; at < end && answered < probes; at = now(CLOCK_MONOTONIC)) {
        for (; sent < probes && start + SECOND * sent / count <= at; sent++)
            begin(&flows[sent % count]);
        set_timer(sent < probes ? start + SECOND * sent / count : end);
        while (answered < probes && !wait_for_events())
            ;
    }
}

int main(int argc, char **argv) {
    tcp = argc == 6 && strcmp(argv[1], "tcp") == 0;
    long count = argc == 6 ? atol(argv[4]) : 0, probes = argc == 6 ? atol(argv[5]) : 0;
    if (count < 1 || count > MOST_FLOWS || probes < 1 || (!tcp && strcmp(argv[1], "udp") != 0) ||
        inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: prober udp|tcp ADDRESS PORT FLOWS N (at most %d flows)\n", MOST_FLOWS);
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    for (long i = 0; i < count; i++)
        flows[i].fd = -1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = TIMER};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (epoll < 0 || timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) != 0)
        fail("epoll");
    // The kernel stamps while any socket asks for it, and to begin and to end that is costly:
    // one socket asks all the time.
    stamped_socket(SOCK_DGRAM);

    run(count, count * probes);

    printf("{\"sent\":%ld,\"answered\":%ld,\"reply_ns\":{\"min\":%lld,\"mean\":%lld,\"max\":%lld}}\n", sent, answered,
           (long long)(answered ? least : 0), (long long)(answered ? sum / answered : 0), (long long)most);
    return answered == sent ? 0 : 1;
}
