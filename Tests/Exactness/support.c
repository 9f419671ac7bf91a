// Guarded memory and random numbers.
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "exactness.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

static void enlarge(arena *a, size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), capacity = (bytes + page - 1) / page * page;
  if (a->first != NULL) munmap(a->first - page, a->capacity + 2 * page);
  uint8_t *map = mmap(NULL, capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map + page, capacity, PROT_READ | PROT_WRITE) != 0) {
    perror("guarded memory");
    exit(71);
  }
  *a = (arena){ .first = map + page, .capacity = capacity };
}

void *place(arena *a, size_t bytes, size_t alignment, int at_end) {
  if (bytes > a->capacity || a->first == NULL) enlarge(a, bytes == 0 ? 1 : bytes);
  return at_end ? a->first + (a->capacity - bytes) / alignment * alignment : a->first;
}

// SplitMix64.
uint64_t next_bits(random_numbers *r) {
  uint64_t z = r->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

int64_t next_in(random_numbers *r, int64_t lo, int64_t hi) {
  return lo + (int64_t)(next_bits(r) % ((uint64_t)(hi - lo) + 1));
}

int64_t next_corner(random_numbers *r, int64_t lo, int64_t hi) {
  switch (next_bits(r) % 16) {
    case 0: case 1: return lo;
    case 2: case 3: return hi;
    case 4: return lo < hi ? lo + 1 : lo;
    case 5: return hi > lo ? hi - 1 : hi;
    case 6: case 7: return lo <= 0 && hi >= 0 ? 0 : lo;
    default: return next_in(r, lo, hi);
  }
}

qk_requantiser next_requantiser(random_numbers *r, int32_t least, int32_t most) {
  if (next_bits(r) % 10 == 0) return (qk_requantiser){ .multiplier = 0, .shift = 1 };
  const int32_t magnitude = (int32_t)next_corner(r, 32768, 65535);
  return (qk_requantiser){ .multiplier = next_bits(r) % 4 == 0 ? -magnitude : magnitude,
                           .shift = (int32_t)next_corner(r, least, most) };
}

ptrdiff_t first_difference(const void *a, const void *b, size_t bytes) {
  if (memcmp(a, b, bytes) == 0) return -1;
  size_t i = 0;
  while (((const uint8_t *)a)[i] == ((const uint8_t *)b)[i]) i++;
  return (ptrdiff_t)i;
}
