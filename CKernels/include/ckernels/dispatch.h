#ifndef CKERNELS_DISPATCH_H
#define CKERNELS_DISPATCH_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/status.h"

/// Instruction sets with kernels of their own. `reference` is portable C and defines the results of all others.
typedef enum qk_isa {
  QK_ISA_REFERENCE = 0,
  QK_ISA_AVX2 = 1,
  QK_ISA_AVX512 = 2,      ///< F, BW, DQ, VL; operations without a kernel of their own use the one of avx2
  QK_ISA_AVX512VNNI = 3,  ///< those and VNNI
  QK_ISA_NEONDOT = 4,     ///< AArch64 with dot products of bytes (sdot)
  QK_ISA_NEONI8MM = 5,    ///< that and products of byte matrices (smmla)
  QK_ISA_COUNT
} qk_isa;

/// "reference", "avx2", "avx512", "avx512vnni", "neondot", "neoni8mm"; null for a value outside the enum.
const char *qk_isa_name(qk_isa isa);

/// 1 when this CPU can run the kernels of `isa`.
int qk_isa_available(qk_isa isa);

/// Writes the features that `isa` needs and this CPU lacks to `buffer`, comma separated ("avx512f,avx512bw") and cut to
/// `size` bytes; null when the set is available, or outside the enum.
const char *qk_isa_missing(qk_isa isa, char *buffer, size_t size);

/// The fastest available instruction set.
qk_isa qk_isa_best(void);

/// Forces the kernels of `isa` for the whole process, or returns QK_ISA_NOT_AVAILABLE and changes nothing.
qk_status qk_isa_force(qk_isa isa);

/// The instruction set in use: the forced one, else qk_isa_best().
qk_isa qk_isa_current(void);

/// The operations that have an entry in the kernel table.
typedef enum qk_operation {
  QK_OPERATION_GEMM = 0,
  QK_OPERATION_ATTENTION,
  QK_OPERATION_LAYER_NORM,
  QK_OPERATION_DATAPATH,
  QK_OPERATION_BF16_GEMM,
  QK_OPERATION_FLOAT_GEMM,
  QK_OPERATION_GRADIENT,
  QK_OPERATION_COUNT
} qk_operation;

/// "gemm", "attention", "layer-norm", "datapath", "bf16-gemm", "float-gemm", "gradient".
const char *qk_operation_name(qk_operation operation);

/// The name of the kernel that serves `operation` when `isa` is forced. A missing fast kernel falls back to the
/// reference by construction.
const char *qk_kernel_name(qk_operation operation, qk_isa isa);

/// The features that a faster kernel for `operation` in `isa` would need, written as by qk_isa_missing; null when there
/// is no such kernel, or the set itself is not available.
const char *qk_kernel_missing(qk_operation operation, qk_isa isa, char *buffer, size_t size);

/// Runs `iterations` rounds of the instructions that the exact kernels of `isa` are built on, on the calling thread.
/// Returns the number of operations (2 per product); time the call to get the peak.
double qk_peak_operations(qk_isa isa, uint64_t iterations);

#endif
