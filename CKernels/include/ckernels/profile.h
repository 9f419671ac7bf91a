// Where the time goes: named, nested intervals of all threads, with the work done in them.
//
// Recording is off until qk_profile_start, and then costs two readings of the clock an interval; off, one load. Nothing that
// is recorded flows back into the work.
#ifndef CKERNELS_PROFILE_H
#define CKERNELS_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/// What bounds the speed of an interval, and what its work counts.
typedef enum qk_resource {
  QK_RESOURCE_NONE = 0,
  QK_RESOURCE_INT8,    ///< operations (two a multiplication with its addition) on 8-bit codes
  QK_RESOURCE_INT16,   ///< operations on 16-bit codes
  QK_RESOURCE_FLOAT,   ///< operations in fp32
  QK_RESOURCE_CACHE,   ///< bytes of rows that the cache of a core holds, read and written
  QK_RESOURCE_MEMORY,  ///< bytes of arrays that it does not hold
  QK_RESOURCE_COUNT
} qk_resource;

/// A finished interval; times in nanoseconds after the start of the recording.
typedef struct qk_interval {
  const char *name;
  qk_resource resource;
  int32_t thread;      ///< threads count from 0 in the order in which they first recorded something in this process
  uint64_t start, duration;
  uint64_t own;        ///< duration less the intervals directly inside: on one thread these add up without overlap
  double work;
  int32_t is_part;     ///< 1: what another thread does of the interval of this name that it lies in
} qk_interval;

/// Starts recording into `intervals`, which stay the caller's; `clock` gives nanoseconds, null: the monotonic clock.
///
/// What does not fit is counted and lost. One recording at a time: a second start replaces the first.
void qk_profile_start(qk_interval *intervals, size_t capacity, uint64_t (*clock)(void));

/// Ends the recording; intervals that are open are not recorded. Call it, like the next two, while no kernel runs.
void qk_profile_stop(void);

/// The number of intervals that are recorded, and in `lost`, where not null, of those that did not fit.
size_t qk_profile_count(size_t *lost);

/// Forgets what is recorded and goes on at the front of the buffer.
void qk_profile_rewind(void);

/// An open interval, in the memory of who opens it.
typedef struct qk_phase {
  const char *name;
  uint64_t start, nested;
  struct qk_phase *outer;
  int open, is_part;
} qk_phase;

/// Opens an interval inside the one that is open on this thread. `name` has to outlive the recording.
void qk_phase_begin(qk_phase *phase, const char *name);

/// Opens this thread's part of an interval that is open on another one, as threads do that take part in a parallel region.
void qk_phase_begin_part(qk_phase *phase, const char *name);

/// Closes the interval that was opened last on this thread.
void qk_phase_end(qk_phase *phase, qk_resource resource, double work);

/// The name of the innermost open interval of this thread; null without one.
const char *qk_phase_name(void);

/// Runs statements as an interval.
#define QK_PHASE(name, resource, work, ...)             \
  do {                                                  \
    qk_phase phase_of_statements;                       \
    qk_phase_begin(&phase_of_statements, name);         \
    __VA_ARGS__;                                        \
    qk_phase_end(&phase_of_statements, resource, work); \
  } while (0)

#endif
