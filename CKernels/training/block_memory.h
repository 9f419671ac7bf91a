// A bump allocator over one scratch buffer: every array starts on a cache line.
#ifndef QK_BLOCK_MEMORY_H
#define QK_BLOCK_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/parallel.h"
#include "ckernels/status.h"

/// A place in the buffer. With base null it only counts.
typedef struct qk_memory {
  uint8_t *base;
  size_t used;
} qk_memory;

static inline void *qk_take(qk_memory *memory, size_t bytes) {
  void *place = memory->base ? memory->base + memory->used : NULL;
  memory->used += (bytes + 63) / 64 * 64;
  return place;
}

/// Runs `take`, which takes what `owner` needs, twice: to find the size, then on a scratch buffer of that size.
static inline qk_status qk_reserve(qk_scratch_use use, void (*take)(void *owner, qk_memory *memory), void *owner) {
  qk_memory memory = { .base = NULL };
  take(owner, &memory);
  memory.base = qk_scratch(use, memory.used);
  if (memory.base == NULL) return QK_OUT_OF_MEMORY;
  memory.used = 0;
  take(owner, &memory);
  return QK_OK;
}

#endif
