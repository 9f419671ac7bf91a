// Counter-based random numbers: Philox 4×32-10 (Salmon et al., SC 2011). No state: value = f(seed, stream, index).
#ifndef CKERNELS_RANDOM_H
#define CKERNELS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/// Word `index` of the stream: 32 uniform bits. Computes block index/4 and returns word index%4.
uint32_t qk_random_bits(uint64_t seed, uint64_t stream, uint64_t index);

/// out[i] = deviation·n, where n is the sum of twelve uniforms minus 6 (mean 0, variance 1, |n| ≤ 6).
///
/// Irwin–Hall instead of Box–Muller: only additions, so the bits do not depend on a mathematics library.
void qk_random_normal(uint64_t seed, uint64_t stream, size_t count, float deviation, float *out);

#endif
