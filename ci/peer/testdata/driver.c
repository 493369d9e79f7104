/* Drives two hosts of libos/net/hosted as a conformance tool does: frames and time by calls. Exits with 0 if all is as it has to be. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libhardtack.h"

#define NEED(x) do { if (!(x)) { fprintf(stderr, "driver.c:%d: not so: %s\n", __LINE__, #x); exit(1); } } while (0)

static int a, b; /* the hosts */
static long frames;

static void carry(void) {
	static char f[1 << 16];
	for (int n, moved = 1; moved;) {
		moved = 0;
		while ((n = ht_frame_out(a, f, sizeof f)) > 0) { ht_frame_in(b, f, n); moved = 1; frames++; }
		while ((n = ht_frame_out(b, f, sizeof f)) > 0) { ht_frame_in(a, f, n); moved = 1; frames++; }
	}
}

static void later(long ms) {
	for (; ms > 0; ms--) {
		carry();
		ht_advance(a, 1000000);
		ht_advance(b, 1000000);
	}
	carry();
}

static struct sockaddr_in at(const char *ip, int port) {
	struct sockaddr_in s = {.sin_family = AF_INET, .sin_port = htons(port)};
	NEED(inet_pton(AF_INET, ip, &s.sin_addr) == 1);
	return s;
}

int main(void) {
	unsigned char mac[6] = {2, 0, 0, 0, 0, 2};
	NEED(ht_new("nonsense", "", NULL, 0, 1) == -EINVAL);
	NEED((a = ht_new("10.0.0.1/24", "", NULL, 0, 1)) >= 0);
	NEED((b = ht_new("10.0.0.2/24", "10.0.0.1", mac, 1400, 2)) >= 0);

	int l = ht_socket(b, AF_INET, SOCK_STREAM, 0);
	NEED(l >= 0);
	struct sockaddr_in to = at("10.0.0.2", 80);
	NEED(ht_bind(b, l, &to, sizeof to) == 0);
	NEED(ht_listen(b, l, 4) == 0);
	NEED(ht_accept(b, l, NULL, NULL) == -EAGAIN);
	NEED(ht_poll(b, l) == 0);

	int c = ht_socket(a, AF_INET, SOCK_STREAM, 0);
	NEED(ht_connect(a, c, &to, sizeof to) == -EINPROGRESS);
	carry();
	NEED(ht_poll(a, c) & POLLOUT);
	int err = -1;
	NEED(ht_getsockopt(a, c, SOL_SOCKET, SO_ERROR, &err, sizeof err) == sizeof err && err == 0);
	NEED(ht_poll(b, l) & POLLIN);
	struct sockaddr_in from, name;
	int n = sizeof from, m = sizeof name;
	int s = ht_accept(b, l, &from, &n);
	NEED(s >= 0 && n == sizeof from);
	NEED(ht_getsockname(a, c, &name, &m) == 0 && name.sin_port == from.sin_port && name.sin_addr.s_addr == from.sin_addr.s_addr);
	NEED(ht_getpeername(a, c, &name, &m) == 0 && name.sin_port == to.sin_port);

	int one = 1;
	NEED(ht_setsockopt(a, c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
	NEED(ht_setsockopt(a, c, IPPROTO_TCP, 9999, &one, sizeof one) == -ENOPROTOOPT);

	enum { size = 200000 };
	static unsigned char data[size], got[size];
	for (int i = 0; i < size; i++) data[i] = i * 2654435761u >> 24;
	int out = 0, in = 0;
	for (int k = 0; in < size && k < 10000; k++) {
		int w = out < size ? ht_write(a, c, data + out, size - out) : 0;
		NEED(w >= 0 || w == -EAGAIN);
		if (w > 0) out += w;
		later(1);
		int r = ht_read(b, s, got + in, size - in);
		NEED(r > 0 || r == -EAGAIN);
		if (r > 0) in += r;
	}
	NEED(in == size && memcmp(data, got, size) == 0);

	struct tcp_info info;
	memset(&info, 0, sizeof info);
	NEED(ht_getsockopt(a, c, IPPROTO_TCP, TCP_INFO, &info, sizeof info) >= 100);
	NEED(info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss > 1300 && info.tcpi_snd_mss <= 1360 && info.tcpi_rto > 0);

	NEED(ht_shutdown(a, c, SHUT_WR) == 0);
	later(10);
	NEED(ht_read(b, s, got, 1) == 0);
	NEED(ht_write(a, c, "x", 1) == -EPIPE);
	NEED(ht_write(b, s, "still", 5) == 5);
	later(10);
	NEED(ht_read(a, c, got, size) == 5 && memcmp(got, "still", 5) == 0);
	NEED(ht_close(b, s) == 0 && ht_close(a, c) == 0 && ht_close(a, c) == -EBADF);
	later(10);

	int u = ht_socket(a, AF_INET, SOCK_DGRAM, 0), v = ht_socket(b, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in dns = at("10.0.0.2", 53);
	NEED(ht_bind(b, v, &dns, sizeof dns) == 0);
	NEED(ht_sendto(a, u, "question", 8, &dns, sizeof dns) == 8);
	carry();
	n = sizeof from;
	NEED(ht_recvfrom(b, v, got, size, 0, &from, &n) == 8 && memcmp(got, "question", 8) == 0);
	NEED(ht_sendto(b, v, "answer", 6, &from, n) == 6);
	carry();
	NEED(ht_read(a, u, got, size) == 6);

	NEED(ht_socket(99, AF_INET, SOCK_STREAM, 0) == -EBADF && ht_read(a, 99, got, 1) == -EBADF && ht_poll(a, 99) == POLLNVAL);
	printf("%ld frames\n", frames);
	return 0;
}
