#ifndef CKERNELS_PARALLEL_H
#define CKERNELS_PARALLEL_H

#include <stddef.h>

/// A task body: handles the half-open range [begin, end) of task indices.
typedef void (*qk_parallel_body)(void *context, size_t begin, size_t end);

/// Runs body over 0…count-1, split into chunks of `grain` tasks.
///
/// The chunks are the same for every number of threads, but any thread may run any chunk. So a body must write only to
/// places owned by its tasks; then results do not depend on the number of threads. A call from inside a body runs
/// serially on the calling thread. Calls from several threads take turns.
void qk_parallel_for(size_t count, size_t grain, void *context, qk_parallel_body body);

/// Sets the number of threads of later qk_parallel_for calls; 0 means all CPUs in the affinity mask of the process.
void qk_set_thread_count(int threads);

/// The number of threads that qk_parallel_for uses.
int qk_thread_count(void);

/// The number of threads of a qk_parallel_for called from here: 1 inside a body, else qk_thread_count().
int qk_region_threads(void);

/// Uses of a thread's work buffers; buffers of different uses may be in use at the same time.
typedef enum qk_scratch_use {
  QK_SCRATCH_CALL = 0,  ///< for the thread that calls an operation, during the call
  QK_SCRATCH_TASK,      ///< for a task
  QK_SCRATCH_BLOCK_CALL,  ///< for the thread that calls a training block, which calls operations
  QK_SCRATCH_BLOCK_TASK,  ///< for a leaf of a training block, or a task of float attention
  QK_SCRATCH_COUNT
} qk_scratch_use;

/// Returns at least `bytes` bytes, 64-byte aligned, that belong to the calling thread until its next call with this
/// use; null when there is no memory. The buffer only grows, without keeping its contents, and lives until the thread
/// exits, so the steady state allocates nothing.
void *qk_scratch(qk_scratch_use use, size_t bytes);

#endif
