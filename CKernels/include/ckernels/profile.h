// Records where the time goes: named, nested intervals of all threads, with the work done in them.
//
// Recording is off until qk_profile_start. While on, it costs two readings of the clock per interval; while off, one
// load. Nothing that is recorded flows back into the work.
#ifndef CKERNELS_PROFILE_H
#define CKERNELS_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/// The resource that bounds the speed of an interval, which is also the unit of its work.
typedef enum qk_resource {
  QK_RESOURCE_NONE = 0,
  QK_RESOURCE_INT8,    ///< operations (two per multiplication with its addition) on 8-bit codes
  QK_RESOURCE_INT16,   ///< operations on 16-bit codes
  QK_RESOURCE_FLOAT,   ///< operations in fp32
  QK_RESOURCE_CACHE,   ///< bytes of rows that fit into the cache of a core, read and written
  QK_RESOURCE_MEMORY,  ///< bytes of arrays that do not fit
  QK_RESOURCE_COUNT
} qk_resource;

/// A finished interval; times in nanoseconds after the start of the recording.
typedef struct qk_interval {
  const char *name;
  qk_resource resource;
  int32_t thread;      ///< threads count from 0 in the order in which they first recorded something in this process
  uint64_t start, duration;
  uint64_t own;        ///< duration minus the intervals directly inside: on one thread these add up without overlap
  double work;
  int32_t is_part;     ///< 1: this thread's part of an interval of this name that another thread opened
} qk_interval;

/// Starts recording into `intervals`, which stay the caller's. `clock` gives nanoseconds; null selects the monotonic
/// clock.
///
/// Intervals that do not fit are counted and lost. There is one recording at a time: a second start replaces the first.
void qk_profile_start(qk_interval *intervals, size_t capacity, uint64_t (*clock)(void));

/// Ends the recording; open intervals are not recorded. Call it, like the next two functions, while no kernel runs.
void qk_profile_stop(void);

/// The number of recorded intervals; writes the number of those that did not fit to `lost` unless it is null.
size_t qk_profile_count(size_t *lost);

/// Discards what is recorded and continues at the front of the buffer.
void qk_profile_rewind(void);

/// An open interval, in memory of the code that opens it.
typedef struct qk_phase {
  const char *name;
  uint64_t start, nested;
  struct qk_phase *outer;
  int open, is_part;
} qk_phase;

/// Opens an interval inside the one that is open on this thread. `name` must outlive the recording.
void qk_phase_begin(qk_phase *phase, const char *name);

/// Opens this thread's part of an interval that is open on another thread, for threads that take part in a parallel
/// region.
void qk_phase_begin_part(qk_phase *phase, const char *name);

/// Closes the interval that was opened last on this thread.
void qk_phase_end(qk_phase *phase, qk_resource resource, double work);

/// The name of the innermost open interval of this thread; null when none is open.
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
