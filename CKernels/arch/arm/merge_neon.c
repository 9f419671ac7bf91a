// Brings rows of two precisions into row order by table lookups in the registers that hold the next codes of both.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>
#include "finish_arm.h"
#include "../../gemm/row_ranks.h"

/// Places of the bytes of eight merged codes: codes of the 8-bit list are elements 0…7 of a table, the others 8…15.
typedef struct picks {
  uint8x16_t bytes[2];
  int32_t count8;
} picks;

static inline picks pick_rows(uint64_t bits, const int32_t element) {
  const qk_eight_rows r = qk_look_at_rows(bits);
  const uint64_t mask = r.is8 * 255;
  const uint64_t place = (r.rank8 & mask) | ((r.rank4 + 0x0808080808080808u) & ~mask);
  const uint8x8_t places = vcreate_u8(place);
  picks p = { .count8 = r.count8 };
  if (element == 1) {
    p.bytes[0] = vcombine_u8(places, vdup_n_u8(0));
  } else if (element == 2) {
    // Element e is in bytes 2e and 2e + 1.
    const uint8x8_t first = vshl_n_u8(places, 1), second = vadd_u8(first, vdup_n_u8(1));
    p.bytes[0] = vcombine_u8(vzip1_u8(first, second), vzip2_u8(first, second));
  } else {
    const uint8x16_t order = vcombine_u8(vcreate_u8(0x0101010100000000u), vcreate_u8(0x0303030302020202u));
    const uint8x16_t within = vreinterpretq_u8_u32(vdupq_n_u32(0x03020100u));
    const uint8x16_t first = vcombine_u8(vshl_n_u8(places, 2), vdup_n_u8(0));
    p.bytes[0] = vaddq_u8(vqtbl1q_u8(first, order), within);
    p.bytes[1] = vaddq_u8(vqtbl1q_u8(first, vaddq_u8(order, vdupq_n_u8(4))), within);
  }
  return p;
}

/// Merges eight rows of one token, of which `rows` exist. `element` is a constant after inlining.
static inline __attribute__((always_inline)) void merge8(const int32_t element, const picks *p, const uint8_t *from8,
                                                         const uint8_t *from4, int32_t rows, uint8_t *out,
                                                         const uint8_t *residual) {
  uint8_t image[32];
  if (element == 1) {
    vst1_u8(image, vqtbl1_u8(vcombine_u8(vld1_u8(from8), vld1_u8(from4)), vget_low_u8(p->bytes[0])));
  } else if (element == 2) {
    const uint8x16x2_t codes = { { vld1q_u8(from8), vld1q_u8(from4) } };
    int16x8_t merged = vreinterpretq_s16_u8(vqtbl2q_u8(codes, p->bytes[0]));
    if (residual) {
      int16_t stream[8] = { 0 };
      memcpy(stream, residual, (size_t)rows * sizeof(int16_t));
      merged = vqaddq_s16(vld1q_s16(stream), merged);
    }
    vst1q_u8(image, vreinterpretq_u8_s16(merged));
  } else {
    const uint8x16x4_t codes = { { vld1q_u8(from8), vld1q_u8(from8 + 16), vld1q_u8(from4), vld1q_u8(from4 + 16) } };
    vst1q_u8(image, vqtbl4q_u8(codes, p->bytes[0]));
    vst1q_u8(image + 16, vqtbl4q_u8(codes, p->bytes[1]));
  }
  memcpy(out, image, (size_t)(rows * element));
}

static inline __attribute__((always_inline)) void merge_rows(const qk_gemm_merge *m, const int32_t element) {
  size_t place8 = 0, place4 = 0;
  for (int32_t n = 0; n < m->rows; n += 8) {
    const int32_t rows = m->rows - n < 8 ? m->rows - n : 8;
    const picks p = pick_rows(m->is8[n / 64] >> (n % 64), element);
    for (int32_t t = 0; t < m->tokens; t++) {
      const uint8_t *from8 = m->from8 + (size_t)t * m->from_stride + place8;
      const uint8_t *from4 = m->from4 + (size_t)t * m->from_stride + place4;
      uint8_t *out = m->output + (size_t)t * m->output_stride + (size_t)(n * element);
      const uint8_t *residual = m->residual ? m->residual + (size_t)t * m->residual_stride + (size_t)n * 2 : NULL;
      // A constant 8 turns the copies into plain loads and stores.
      if (rows == 8) merge8(element, &p, from8, from4, 8, out, residual);
      else merge8(element, &p, from8, from4, rows, out, residual);
    }
    place8 += (size_t)(p.count8 * element);
    place4 += (size_t)((8 - p.count8) * element);
  }
}

void qk_merge_neon(const qk_gemm_merge *m) {
  switch (m->element) {
    case 1: merge_rows(m, 1); break;
    case 2: merge_rows(m, 2); break;
    default: merge_rows(m, 4); break;
  }
}
#endif
