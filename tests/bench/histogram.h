#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

/*
 * Durations in log-linear buckets: 64 for each power of two, so that a value
 * is known to 1.6 %, from 1 ns to about 18 minutes.
 */
#define HISTOGRAM_STEPS 64
#define HISTOGRAM_OCTAVES 35

struct histogram {
	uint64_t buckets[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
};

static inline void
histogram_add(struct histogram *histogram, uint64_t value_ns)
{
	uint64_t rest = value_ns;
	uint32_t octave = 0;
	uint32_t bucket;

	while (rest >= 2 * HISTOGRAM_STEPS) {
		rest >>= 1;
		octave++;
	}
	bucket = octave * HISTOGRAM_STEPS + (uint32_t)rest;
	if (bucket >= HISTOGRAM_OCTAVES * HISTOGRAM_STEPS)
		bucket = HISTOGRAM_OCTAVES * HISTOGRAM_STEPS - 1;
	histogram->buckets[bucket]++;
	histogram->count++;
	histogram->sum_ns += value_ns;
	if (value_ns > histogram->max_ns)
		histogram->max_ns = value_ns;
}

/* The upper end of a bucket. */
static inline double
histogram_end_us(const struct histogram *histogram, uint32_t bucket)
{
	const uint32_t octave = bucket / HISTOGRAM_STEPS;
	uint64_t end_ns = bucket % HISTOGRAM_STEPS + 1;

	if (octave > 0)
		end_ns = (end_ns + HISTOGRAM_STEPS) << (octave - 1);
	if (end_ns > histogram->max_ns)
		end_ns = histogram->max_ns;
	return (double)end_ns / 1000.0;
}

/* That of the bucket with the value that `share` do not exceed. */
static inline double
histogram_quantile_us(const struct histogram *histogram, double share)
{
	const double wanted = share * (double)histogram->count;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS; i++) {
		seen += histogram->buckets[i];
		if (seen > 0 && (double)seen >= wanted)
			return histogram_end_us(histogram, i);
	}
	return 0.0;
}

/* As JSON: each bucket that is not empty, as [its upper end, how many]. */
static inline void
histogram_print(const struct histogram *histogram)
{
	const char *separator = "";

	printf("[");
	for (uint32_t i = 0; i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS; i++) {
		if (histogram->buckets[i] == 0)
			continue;
		printf("%s[%.2f, %llu]", separator,
		    histogram_end_us(histogram, i),
		    (unsigned long long)histogram->buckets[i]);
		separator = ", ";
	}
	printf("]");
}

#endif
