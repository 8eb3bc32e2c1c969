#include "cmd/floor.h"

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void floor_take(struct floor *f, int64_t told_s, int64_t now_s, int64_t mono_us)
{
	int64_t passed_s = (mono_us - f->mono_us) / 1000000;
	int64_t bound_s = later(now_s, f->latest_s + passed_s);

	f->given_s = !f->known || told_s < bound_s ? told_s : bound_s;
	f->latest_s = later(now_s, f->given_s);
	f->mono_us = mono_us;
	f->known = true;
}
