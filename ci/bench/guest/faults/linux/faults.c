/* What main.go measures, with what Linux gives: mprotect, SIGSEGV, and the soft-dirty bits of /proc/self/pagemap. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 100, ROUNDS = 50, SIZE = 4096 };

static volatile char *mem;
static int others; /* whether the handler protects another page */

static void protect(int page) { mprotect((void *)(mem + page * SIZE), SIZE, PROT_READ); }
static void unprotect(int page) { mprotect((void *)(mem + page * SIZE), SIZE, PROT_READ | PROT_WRITE); }

static void on_fault(int sig, siginfo_t *info, void *context) {
	int page = ((char *)info->si_addr - mem) / SIZE;
	unprotect(page);
	if (others)
		protect((page + 37) % PAGES);
}

static void touch_all(void) {
	for (int i = 0; i < PAGES; i++)
		mem[i * 61 % PAGES * SIZE]++;
}

static void prot_unprot(void) {
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < PAGES; i++) {
			protect(i);
			unprotect(i);
		}
}

static void prot1(void) {
	for (int r = 0; r < ROUNDS; r++)
		touch_all();
}

static void prot100(void) {
	for (int r = 0; r < ROUNDS; r++) {
		mprotect((void *)mem, PAGES * SIZE, PROT_READ);
		touch_all();
	}
}

static int pagemap;
static int dirty_pages;

static void dirty(void) {
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < PAGES; i++) {
			uint64_t entry;
			if (pread(pagemap, &entry, 8, ((uintptr_t)mem / SIZE + i) * 8) != 8) {
				perror("pagemap");
				exit(1);
			}
			dirty_pages += entry >> 55 & 1;
		}
}

static void report(const char *name, int n, void (*run)(void)) {
	struct timespec a, b;
	run();
	clock_gettime(CLOCK_MONOTONIC, &a);
	run();
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("RESULT %s %lld ns\n", name, ((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec) / n);
	fflush(stdout);
}

int main(void) {
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &act, 0);
	mem = mmap(0, PAGES * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < PAGES; i++)
		mem[i * SIZE] = 1;
	report("prot+unprot", PAGES * ROUNDS, prot_unprot);
	others = 1;
	mprotect((void *)mem, PAGES * SIZE, PROT_READ);
	report("prot1+trap+unprot", PAGES * ROUNDS, prot1);
	others = 0;
	report("prot100+trap+unprot", PAGES * ROUNDS, prot100);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, 0);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0) {
		perror("pagemap");
		return 1;
	}
	report("dirty", PAGES * ROUNDS, dirty);
	return 0;
}
