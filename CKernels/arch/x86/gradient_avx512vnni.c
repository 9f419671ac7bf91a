// Backward products on vpdpwssd: two products of 16 bits and their sum onto an int32 lane.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to=function)

static inline __m512i qk_add_pairs(__m512i sum, __m512i a, __m512i b) { return _mm512_dpwssd_epi32(sum, a, b); }

#include "tile_gradient_avx512.h"

const qk_gradient_kernel qk_gradient_avx512vnni = { .name = "gradient_i16_8x48_avx512vnni_dpwssd", .multiply = multiply };

#pragma clang attribute pop
#endif
