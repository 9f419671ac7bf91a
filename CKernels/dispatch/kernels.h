// The kernel table: for every operation, the kernel that serves one instruction set.
#ifndef QK_KERNELS_H
#define QK_KERNELS_H

#include "../attention/integer_attention.h"
#include "../datapath/datapath_kernel.h"
#include "../elementwise/integer_layer_norm.h"
#include "../gemm/packed_gemm.h"
#include "../gemm/gradient_gemm.h"
#include "../gemm/integer_gemm.h"

/// The kernels of a set. Null entries mean the reference; each override file replaces the entries that it has.
typedef struct qk_kernel_set {
  const qk_gemm_kernel *gemm;
  const qk_attention_kernel *attention;
  const qk_layer_norm_kernel *layer_norm;
  const qk_datapath_kernel *datapath;
  const qk_packed_kernel *bf16_gemm, *float_gemm;
  const qk_gradient_kernel *gradient;
  /// out[i] = table[codes[i] + 128]; a helper, not an operation of its own.
  void (*look_up)(size_t count, const int8_t *codes, const uint8_t *table, uint8_t *out);
} qk_kernel_set;

/// The set of `isa`: the reference, then the overrides of every instruction set of this architecture up to `isa`.
qk_kernel_set qk_kernels(qk_isa isa);

/// 1 when `isa` is a value of the enum that this CPU can run.
int qk_isa_usable(qk_isa isa);

#endif
