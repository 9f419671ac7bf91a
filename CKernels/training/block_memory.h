// A bump allocator over one scratch buffer: every array starts on a cache line.
#ifndef QK_BLOCK_MEMORY_H
#define QK_BLOCK_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/// With base null it only counts: run the same calls twice, first to learn the size.
typedef struct qk_memory {
  uint8_t *base;
  size_t used;
} qk_memory;

static inline void *qk_take(qk_memory *memory, size_t bytes) {
  void *place = memory->base ? memory->base + memory->used : NULL;
  memory->used += (bytes + 63) / 64 * 64;
  return place;
}

#endif
