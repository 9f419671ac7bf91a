#ifndef CKERNELS_PARALLEL_H
#define CKERNELS_PARALLEL_H

#include <stddef.h>

/// A task body: handles the half-open range [begin, end) of task indices.
typedef void (*qk_parallel_body)(void *context, size_t begin, size_t end);

/// Runs body over 0…count-1, split into chunks of `grain` tasks.
///
/// The chunks are the same for every number of threads; which thread runs a chunk is not fixed, so a body
/// must write only to places owned by its tasks. Then results do not depend on the number of threads.
/// A call from inside a body runs serially on the calling thread; calls of several threads take turns.
void qk_parallel_for(size_t count, size_t grain, void *context, qk_parallel_body body);

/// Sets the number of threads of later qk_parallel_for calls; 0 means all CPUs of the process's mask.
void qk_set_thread_count(int threads);

/// The number of threads that qk_parallel_for uses.
int qk_thread_count(void);

/// The number of threads of a qk_parallel_for that is called here: inside a body 1, else qk_thread_count().
int qk_region_threads(void);

/// Work buffers of a thread that may be in use at the same time.
typedef enum qk_scratch_use {
  QK_SCRATCH_CALL = 0,  ///< of the thread that calls an operation, for the length of the call
  QK_SCRATCH_TASK,      ///< of a task
  QK_SCRATCH_BLOCK_CALL,  ///< of the thread that calls a training block, which calls operations
  QK_SCRATCH_BLOCK_TASK,  ///< of a leaf of a training block
  QK_SCRATCH_COUNT
} qk_scratch_use;

/// At least `bytes` bytes, 64-byte aligned, that belong to the calling thread until its next call with this use; null
/// when there is no memory. Grows, is never given back before the thread ends: no allocation in the steady state.
void *qk_scratch(qk_scratch_use use, size_t bytes);

#endif
