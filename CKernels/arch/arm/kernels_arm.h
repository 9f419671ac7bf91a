// The AArch64 kernels that the dispatch table knows.
#ifndef QK_KERNELS_ARM_H
#define QK_KERNELS_ARM_H

#include <stdint.h>
#include "../../attention/integer_attention.h"
#include "../../datapath/datapath_kernel.h"
#include "../../elementwise/integer_layer_norm.h"
#include "../../gemm/integer_gemm.h"
#include "../../gemm/packed_gemm.h"

/// 1 when the CPU has dot products of bytes (FEAT_DotProd), products of byte matrices (FEAT_I8MM).
int qk_cpu_has_neondot(void);
int qk_cpu_has_neoni8mm(void);

extern const qk_gemm_kernel qk_gemm_neondot, qk_gemm_neoni8mm;
extern const qk_attention_kernel qk_attention_neondot, qk_attention_neoni8mm;
extern const qk_layer_norm_kernel qk_layer_norm_neon;
extern const qk_datapath_kernel qk_datapath_neon;
extern const qk_packed_kernel qk_float_neon;

/// Runs `iterations` groups of independent sdot, or smmla; returns the operations done (2 per product).
double qk_peak_operations_neondot(uint64_t iterations);
double qk_peak_operations_neoni8mm(uint64_t iterations);

#endif
