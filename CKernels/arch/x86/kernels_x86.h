// The x86-64 kernels that the dispatch table knows.
#ifndef QK_KERNELS_X86_H
#define QK_KERNELS_X86_H

#include <stddef.h>
#include <stdint.h>
#include "../../attention/integer_attention.h"
#include "../../datapath/datapath_kernel.h"
#include "../../elementwise/integer_layer_norm.h"
#include "../../gemm/gradient_gemm.h"
#include "../../gemm/integer_gemm.h"
#include "../../gemm/packed_gemm.h"

extern const qk_gemm_kernel qk_gemm_avx2, qk_gemm_avx512, qk_gemm_avx512vnni, qk_gemm_avx512vnni_without_vbmi;
extern const qk_attention_kernel qk_attention_avx2, qk_attention_avx512vnni;
extern const qk_layer_norm_kernel qk_layer_norm_avx2, qk_layer_norm_avx512;
extern const qk_datapath_kernel qk_datapath_avx2, qk_datapath_avx512;
extern const qk_packed_kernel qk_bf16_avx2, qk_bf16_avx512, qk_bf16_avx512bf16;
extern const qk_packed_kernel qk_float_avx2, qk_float_avx512;
extern const qk_gradient_kernel qk_gradient_avx2, qk_gradient_avx512, qk_gradient_avx512vnni;

/// `multiply_finished` of the VNNI kernel.
int32_t qk_multiply_finished_avx512vnni(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel,
                                        size_t panel_stride, int32_t panels, int32_t depth, const qk_gemm_finish *f);

/// out[i] = table[codes[i] + 128]
void qk_look_up_avx512vbmi(size_t count, const int8_t *codes, const uint8_t *table, uint8_t *out);

/// Runs `iterations` groups of independent vpmaddwd + vpaddd pairs; returns the operations done (2 per product).
double qk_peak_operations_avx2(uint64_t iterations);
/// The same on 512-bit registers, and groups of independent vpdpbusd.
double qk_peak_operations_avx512(uint64_t iterations);
double qk_peak_operations_avx512vnni(uint64_t iterations);

#endif
