// The definition of qk_gemm: three plain loops over rows, tokens and depth.
#include "../gemm/validate.h"
#include "../pack/packed_layout.h"
#include "output_form.h"

static int32_t activation(const qk_gemm_arguments *a, int32_t t, int32_t k) {
  const uint8_t byte = ((const uint8_t *)a->activations)[(size_t)t * a->activation_stride + (size_t)k];
  return a->activations_unsigned ? byte : (int8_t)byte;
}

qk_status qk_gemm_reference(const qk_gemm_arguments *a) {
  const qk_status status = qk_gemm_check(a);
  if (status != QK_OK) return status;
  const qk_packed_weights *w = a->weights;
  const qk_hardware_spec exact = qk_hardware_spec_exact();
  for (int32_t slot = 0; slot < w->slots8 + w->slots4; slot++) {
    const int32_t n = w->slot_row[slot];
    if (n < 0) continue;
    for (int32_t t = 0; t < a->tokens; t++) {
      int32_t acc = a->bias[n];
      for (int32_t k = 0; k < w->depth; k++) acc += activation(a, t, k) * qk_packed_code(w, slot, k);
      qk_write_output(a, a->form, &exact, (size_t)t, (size_t)n, acc);
    }
  }
  return QK_OK;
}
