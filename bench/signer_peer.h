/* bench/signer_peer.h - the real mica-signer as a child, its supervisor and one
 * client of it: what the benchmarks that go through it share. */
#ifndef MICA_BENCH_SIGNER_PEER_H
#define MICA_BENCH_SIGNER_PEER_H

#include "ca/signer_client.h"
#include "ca/tbs_check.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define PEER_IN_FLIGHT_MAX 1024
#define PEER_KEY "issuing" /* what the key is called */

struct ipc;

struct signer_peer {
	struct loop *loop;
	struct ipc *control;
	struct signer_client *client;
	struct signer_call calls[PEER_IN_FLIGHT_MAX];
	struct bytes spki;         /* of the key, until the end */
	int control_fd, client_fd; /* the signer's ends */
	unsigned left, in_flight;
	bool ready;
	clockid_t signer_clock;
	pid_t pid;
};

/* A new folder for keys, whose path has room for 128 bytes. */
void peer_folder(char *dir);
/* mica-signer with its keys in dir and these arguments (NULL-terminated) about
 * the key PEER_KEY, told policy, and ready. */
void peer_begin(struct signer_peer *p, const char *dir,
        const char *const *key_args, const struct tbs_policy *policy);
/* Sends policy, which takes the place of the one before. */
void peer_policy(struct signer_peer *p, const struct tbs_policy *policy);
void peer_end(struct signer_peer *p);

/* CPU time of this process and the signer. */
double peer_cpu_us(const struct signer_peer *p);
/* Have tbs signed n times, in_flight at once. */
void peer_sign(struct signer_peer *p, unsigned in_flight, unsigned n,
        enum signer_purpose purpose, struct bytes tbs);

#endif
