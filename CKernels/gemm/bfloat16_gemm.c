// Products in bfloat16 on the kernels in use.
#include "packed_gemm.h"
#include "../dispatch/kernels.h"

qk_status qk_bf16_gemm_with(qk_isa isa, const qk_bf16_gemm_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_packed_kernel *kernel = qk_kernels(isa).bf16_gemm;
  if (kernel == NULL) return qk_bf16_gemm_reference(arguments);
  const qk_status status = qk_bf16_check(arguments);
  return status == QK_OK ? qk_packed_multiply(kernel, arguments) : status;
}

qk_status qk_bf16_gemm(const qk_bf16_gemm_arguments *arguments) {
  return qk_bf16_gemm_with(qk_isa_current(), arguments);
}
