/*
 * A crowd of switches that ask their controller about packets.
 *
 * cc -O2 -o packet-in-generator packet-in-generator.c
 * packet-in-generator PORT SWITCHES WINDOW WARMUP_SECONDS SECONDS
 *
 * Each switch connects to 127.0.0.1:PORT, shakes hands as an OpenFlow 1.3 switch without buffers, and then keeps WINDOW packet-ins of 64 bytes unanswered.
 * The frames go round between 100 MAC addresses per switch, so that a learning switch soon knows them all and answers each with a flow-mod and a
 * packet-out. A packet-out counts as the answer. Prints one JSON object: rates over the seconds after the warm-up, and the time from a packet-in to its
 * packet-out (per switch, answers come in the order of the questions).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WINDOW = 1024, MACS = 100, FRAME = 64, IN_SIZE = 1 << 18, OUT_SIZE = 1 << 18 };
enum { HELLO = 0, ECHO_REQUEST = 2, ECHO_REPLY = 3, FEATURES_REQUEST = 5, FEATURES_REPLY = 6, GET_CONFIG_REQUEST = 7, GET_CONFIG_REPLY = 8,
       PACKET_IN = 10, PACKET_OUT = 13, FLOW_MOD = 14, MULTIPART_REQUEST = 18, MULTIPART_REPLY = 19, BARRIER_REQUEST = 20, BARRIER_REPLY = 21,
       ROLE_REQUEST = 24, ROLE_REPLY = 25 };
enum { DESC = 0, PORT_DESC = 13 };

struct sw {
  int fd, index, ready, wants_write;
  uint32_t sequence;
  uint8_t in[IN_SIZE], out[OUT_SIZE];
  size_t in_length, out_start, out_end;
  double asked[MAX_WINDOW];
  unsigned oldest, outstanding;
};

static int window, poller;
static int running, measuring;
static uint64_t answers, flow_mods;
static double *latencies;
static size_t latency_count, latency_capacity;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
static void put16(uint8_t *p, unsigned v) { p[0] = v >> 8; p[1] = v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16); put16(p + 2, v); }
static unsigned get16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static void die(const char *what) { perror(what); exit(2); }

/* Room for a message at the end of the output, zeroed, with its header filled in. */
static uint8_t *append(struct sw *s, uint8_t type, size_t length, const uint8_t *xid) {
  if (s->out_start == s->out_end) s->out_start = s->out_end = 0;
  if (s->out_end + length > OUT_SIZE) {
    memmove(s->out, s->out + s->out_start, s->out_end - s->out_start);
    s->out_end -= s->out_start;
    s->out_start = 0;
    if (s->out_end + length > OUT_SIZE) { fprintf(stderr, "the controller does not read\n"); exit(3); }
  }
  uint8_t *m = s->out + s->out_end;
  s->out_end += length;
  memset(m, 0, length);
  m[0] = 4;
  m[1] = type;
  put16(m + 2, length);
  if (xid) memcpy(m + 4, xid, 4);
  return m;
}

static void put_mac(uint8_t *p, int sw, int host) {
  p[0] = 2;
  put16(p + 1, sw);
  put16(p + 4, host);
}

static void ask(struct sw *s) {
  unsigned source = s->sequence % MACS, target = (source + 1) % MACS;
  uint8_t *m = append(s, PACKET_IN, 42 + FRAME, NULL);
  put32(m + 8, 0xffffffff);
  put16(m + 12, FRAME);
  put16(m + 24, 1);
  put16(m + 26, 12);
  put32(m + 28, 0x80000004);
  put32(m + 32, source % 4 + 1);
  uint8_t *frame = m + 42, *ip = frame + 14;
  put_mac(frame, s->index, target);
  put_mac(frame + 6, s->index, source);
  put16(frame + 12, 0x0800);
  ip[0] = 0x45;
  put16(ip + 2, FRAME - 14);
  ip[8] = 64;
  ip[9] = 17;
  put32(ip + 12, 0x0a000000 | s->index << 8 | source);
  put32(ip + 16, 0x0a000000 | s->index << 8 | target);
  put16(ip + 20, 1000);
  put16(ip + 22, 2000);
  put16(ip + 24, FRAME - 34);
  s->asked[s->sequence++ % MAX_WINDOW] = now();
  s->outstanding++;
}

static void answered(struct sw *s) {
  if (s->outstanding == 0) return;
  if (measuring) {
    answers++;
    if (latency_count == latency_capacity) {
      latency_capacity = latency_capacity ? 2 * latency_capacity : 1 << 20;
      latencies = realloc(latencies, latency_capacity * sizeof *latencies);
      if (!latencies) die("realloc");
    }
    latencies[latency_count++] = now() - s->asked[s->oldest % MAX_WINDOW];
  }
  s->oldest++;
  s->outstanding--;
  if (running) while (s->outstanding < (unsigned)window) ask(s);
}

static void multipart(struct sw *s, const uint8_t *m) {
  unsigned type = get16(m + 8);
  size_t body = type == DESC ? 1056 : type == PORT_DESC ? 4 * 64 : 0;
  uint8_t *reply = append(s, MULTIPART_REPLY, 16 + body, m + 4);
  put16(reply + 8, type);
  if (type != PORT_DESC) return;
  for (int n = 0; n < 4; n++) {
    uint8_t *port = reply + 16 + 64 * n;
    put32(port, n + 1);
    put_mac(port + 8, s->index, 0x100 + n);
    snprintf((char *)port + 16, 16, "p%d", n + 1);
  }
}

static void receive(struct sw *s, const uint8_t *m, size_t length) {
  uint8_t *reply;
  switch (m[1]) {
  case ECHO_REQUEST:
    reply = append(s, ECHO_REPLY, length, m + 4);
    memcpy(reply + 8, m + 8, length - 8);
    break;
  case FEATURES_REQUEST:
    reply = append(s, FEATURES_REPLY, 32, m + 4);
    put32(reply + 12, s->index + 1);
    reply[20] = 254;
    put32(reply + 24, 0x4f);
    s->ready = 1;
    break;
  case GET_CONFIG_REQUEST:
    put16(append(s, GET_CONFIG_REPLY, 12, m + 4) + 10, 0xffff);
    break;
  case BARRIER_REQUEST:
    append(s, BARRIER_REPLY, 8, m + 4);
    break;
  case ROLE_REQUEST:
    reply = append(s, ROLE_REPLY, 24, m + 4);
    memcpy(reply + 8, m + 8, 16);
    break;
  case MULTIPART_REQUEST:
    multipart(s, m);
    break;
  case FLOW_MOD:
    if (measuring) flow_mods++;
    break;
  case PACKET_OUT:
    answered(s);
    break;
  }
}

static void flush(struct sw *s) {
  while (s->out_start < s->out_end) {
    ssize_t n = write(s->fd, s->out + s->out_start, s->out_end - s->out_start);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) die("write");
    s->out_start += n;
  }
  int wants_write = s->out_start < s->out_end;
  if (wants_write == s->wants_write) return;
  struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = s};
  epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &event);
  s->wants_write = wants_write;
}

static void readable(struct sw *s) {
  ssize_t n = read(s->fd, s->in + s->in_length, IN_SIZE - s->in_length);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) die("read");
  if (n == 0) { fprintf(stderr, "the controller hung up on switch %d\n", s->index); exit(4); }
  s->in_length += n;
  size_t at = 0;
  while (s->in_length - at >= 8) {
    size_t length = get16(s->in + at + 2);
    if (length < 8 || s->in_length - at < length) break;
    receive(s, s->in + at, length);
    at += length;
  }
  memmove(s->in, s->in + at, s->in_length - at);
  s->in_length -= at;
}

static void run_until(double end) {
  struct epoll_event events[256];
  while (now() < end) {
    int count = epoll_wait(poller, events, 256, 5);
    for (int i = 0; i < count; i++) {
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(events[i].data.ptr);
      flush(events[i].data.ptr);
    }
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 6) { fprintf(stderr, "usage: %s PORT SWITCHES WINDOW WARMUP_SECONDS SECONDS\n", argv[0]); return 64; }
  int port = atoi(argv[1]), count = atoi(argv[2]);
  double warmup = atof(argv[4]), seconds = atof(argv[5]);
  window = atoi(argv[3]);
  if (count < 1 || count > 255 || window < 1 || window > MAX_WINDOW) return 64;
  struct sw *crowd = calloc(count, sizeof *crowd);
  poller = epoll_create1(0);
  if (!crowd || poller < 0) die("start");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < count; i++) {
    struct sw *s = &crowd[i];
    int one = 1;
    s->index = i;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &event);
    uint8_t *hello = append(s, HELLO, 16, NULL);
    put16(hello + 8, 1);
    put16(hello + 10, 8);
    put32(hello + 12, 1 << 4);
    flush(s);
  }
  int ready = 0;
  for (double end = now() + 60; ready < count && now() < end;) {
    run_until(now() + 0.01);
    ready = 0;
    for (int i = 0; i < count; i++) ready += crowd[i].ready;
  }
  if (ready < count) { fprintf(stderr, "only %d of %d switches shook hands\n", ready, count); return 5; }
  run_until(now() + 1); /* whatever else the controller wants to know first */

  running = 1;
  for (int i = 0; i < count; i++) {
    while (crowd[i].outstanding < (unsigned)window) ask(&crowd[i]);
    flush(&crowd[i]);
  }
  run_until(now() + warmup);
  measuring = 1;
  double start = now();
  run_until(start + seconds);
  double took = now() - start;

  qsort(latencies, latency_count, sizeof *latencies, ascending);
  double p50 = latency_count ? latencies[latency_count / 2] : 0, p99 = latency_count ? latencies[latency_count * 99 / 100] : 0;
  printf("{\"responses_per_s\":%.0f,\"flow_mods_per_s\":%.0f,\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f}\n", answers / took, flow_mods / took, p50 * 1e6,
         p99 * 1e6);
  return 0;
}
