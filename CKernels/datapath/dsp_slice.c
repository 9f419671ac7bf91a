// One step of a DSP48E1 or DSP48E2: pre-adder, multiplier, 48-bit ALU.
#include "dsp_slice.h"

int32_t qk_dsp_pre_adder_bits(qk_dsp_generation generation) { return generation == QK_DSP48E1 ? 25 : 27; }

static int64_t base_value(const qk_dsp_slice *slice, qk_dsp_base base, int64_t cascade) {
  switch (base) {
    case QK_DSP_ZERO: return 0;
    case QK_DSP_P: return slice->p;
    case QK_DSP_CASCADE: return qk_wrap(cascade, QK_DSP_P_BITS);
    case QK_DSP_CASCADE_SHIFTED: return qk_wrap(cascade, QK_DSP_P_BITS) >> QK_DSP_CASCADE_SHIFT;
  }
  return 0;
}

// |AD·B| ≤ 2^26·2^17 and the two addends are below 2^47, so the 64-bit sum before the wrap is exact.
int64_t qk_dsp_step(qk_dsp_slice *slice, const qk_dsp_ports *ports, qk_dsp_base base, int with_c, int64_t cascade) {
  const int32_t width = qk_dsp_pre_adder_bits(slice->generation);
  const int64_t sum = qk_wrap(qk_wrap(ports->a, width) + qk_wrap(ports->d, width), width);
  const int64_t product = sum * qk_wrap(ports->b, QK_DSP_B_BITS);
  const int64_t addend = with_c ? qk_wrap(ports->c, QK_DSP_P_BITS) : 0;
  slice->p = qk_wrap(base_value(slice, base, cascade) + addend + product, QK_DSP_P_BITS);
  return slice->p;
}
