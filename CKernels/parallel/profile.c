#define _GNU_SOURCE
#include "ckernels/profile.h"
#include <stdatomic.h>
#include <time.h>

static atomic_int recording;
static qk_interval *buffer;
static size_t buffer_capacity;
static uint64_t (*read_clock)(void);
static uint64_t origin;
static atomic_size_t recorded;  // also counts intervals that did not fit

static atomic_int threads;
static _Thread_local int thread_number = -1;
static _Thread_local qk_phase *innermost;

static uint64_t monotonic(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void qk_profile_start(qk_interval *intervals, size_t capacity, uint64_t (*clock)(void)) {
  atomic_store(&recording, 0);
  buffer = intervals;
  buffer_capacity = intervals ? capacity : 0;
  read_clock = clock ? clock : monotonic;
  atomic_store(&recorded, 0);
  origin = read_clock();
  atomic_store(&recording, 1);
}

void qk_profile_stop(void) { atomic_store(&recording, 0); }

size_t qk_profile_count(size_t *lost) {
  const size_t all = atomic_load(&recorded), kept = all < buffer_capacity ? all : buffer_capacity;
  if (lost) *lost = all - kept;
  return kept;
}

void qk_profile_rewind(void) { atomic_store(&recorded, 0); }

void qk_phase_begin(qk_phase *phase, const char *name) {
  phase->open = atomic_load_explicit(&recording, memory_order_acquire);
  if (!phase->open) return;
  phase->name = name;
  phase->is_part = 0;
  phase->outer = innermost;
  phase->nested = 0;
  innermost = phase;
  phase->start = read_clock();
}

void qk_phase_begin_part(qk_phase *phase, const char *name) {
  qk_phase_begin(phase, name);
  phase->is_part = 1;
}

void qk_phase_end(qk_phase *phase, qk_resource resource, double work) {
  if (!phase->open) return;
  innermost = phase->outer;
  if (!atomic_load_explicit(&recording, memory_order_acquire) || phase->start < origin) return;
  const uint64_t duration = read_clock() - phase->start;
  if (phase->outer) phase->outer->nested += duration;
  if (thread_number < 0) thread_number = atomic_fetch_add(&threads, 1);
  const size_t at = atomic_fetch_add_explicit(&recorded, 1, memory_order_relaxed);
  if (at >= buffer_capacity) return;
  const uint64_t own = duration > phase->nested ? duration - phase->nested : 0;
  buffer[at] = (qk_interval){ .name = phase->name, .resource = resource, .thread = thread_number,
                              .start = phase->start - origin, .duration = duration, .own = own, .work = work,
                              .is_part = phase->is_part };
}

const char *qk_phase_name(void) { return innermost ? innermost->name : NULL; }
