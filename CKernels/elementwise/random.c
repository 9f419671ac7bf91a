#include "ckernels/random.h"

static inline void philox_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]) {
  uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

uint32_t qk_random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t block[4];
  philox_block(seed, stream, index / 4, block);
  return block[index % 4];
}

void qk_random_normal(uint64_t seed, uint64_t stream, size_t count, float deviation, float *out) {
  for (size_t i = 0; i < count; i++) {
    uint32_t words[12];
    for (int j = 0; j < 3; j++) philox_block(seed, stream, 3 * (uint64_t)i + (uint64_t)j, words + 4 * j);
    // Twelve 24-bit integers: the sum is exact in 28 bits, so the order of addition does not matter.
    uint32_t sum = 0;
    for (int j = 0; j < 12; j++) sum += words[j] >> 8;
    out[i] = deviation * (float)(((double)sum - 6.0 * 16777216.0) * 0x1p-24);
  }
}
