// Work buffers of threads: one buffer per use, kept until the thread exits.
#include <pthread.h>
#include <stdlib.h>
#include "ckernels/parallel.h"

typedef struct scratch {
  void *memory[QK_SCRATCH_COUNT];
  size_t bytes[QK_SCRATCH_COUNT];
} scratch;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_made;
static _Thread_local scratch mine;

static void release(void *data) {
  scratch *s = data;
  for (int use = 0; use < QK_SCRATCH_COUNT; use++) free(s->memory[use]);
}

static void make_key(void) { key_made = pthread_key_create(&key, release) == 0; }

void *qk_scratch(qk_scratch_use use, size_t bytes) {
  if (bytes <= mine.bytes[use]) return mine.memory[use];
  pthread_once(&key_once, make_key);
  // Without the key nothing would free the memory when the thread exits.
  if (!key_made || pthread_setspecific(key, &mine) != 0) return NULL;
  const size_t rounded = (bytes + 4095) / 4096 * 4096;
  void *memory = aligned_alloc(4096, rounded);
  if (memory == NULL) return NULL;
  free(mine.memory[use]);
  mine.memory[use] = memory;
  mine.bytes[use] = rounded;
  return memory;
}
