// Argument checks of the bfloat16 product. Nothing is written before they pass.
#include "packed_gemm.h"

typedef struct byte_range {
  uintptr_t begin, end;
} byte_range;

static byte_range range_of(const void *base, size_t rows, size_t stride, size_t width, size_t element) {
  const uintptr_t begin = (uintptr_t)base;
  return (byte_range){ begin, begin + ((rows - 1) * stride + width) * element };
}

static int overlap(byte_range a, byte_range b) { return a.begin < b.end && b.begin < a.end; }

static int is_size(size_t size) { return size >= 1 && size <= INT32_MAX; }

static int is_flag(int32_t flag) { return flag == 0 || flag == 1; }

static size_t element_bytes(qk_bf16_element element) { return element == QK_BF16_FLOAT ? sizeof(float) : 1; }

static int is_misaligned(const void *floats) { return (uintptr_t)floats % sizeof(float) != 0; }

static qk_status check_operand(const qk_bf16_operand *o, size_t rows, size_t columns, byte_range output) {
  const size_t stored_rows = o->transposed ? columns : rows, width = o->transposed ? rows : columns;
  if (!is_size(o->stride) || o->stride < width) return QK_BAD_SIZE;
  if (o->element == QK_BF16_FLOAT && is_misaligned(o->values)) return QK_MISALIGNED;
  const byte_range range = range_of(o->values, stored_rows, o->stride, width, element_bytes(o->element));
  return overlap(output, range) ? QK_BUFFERS_OVERLAP : QK_OK;
}

static qk_status check_vector(const float *v, size_t count, byte_range output) {
  if (v == NULL) return QK_OK;
  if (is_misaligned(v)) return QK_MISALIGNED;
  return overlap(output, range_of(v, 1, 0, count, sizeof *v)) ? QK_BUFFERS_OVERLAP : QK_OK;
}

static int is_known(const qk_bf16_operand *o) {
  return is_flag(o->transposed)
      && (o->element == QK_BF16_FLOAT || o->element == QK_BF16_INT8 || o->element == QK_BF16_UINT8);
}

qk_status qk_bf16_check(const qk_bf16_gemm_arguments *g) {
  if (!g || !g->a.values || !g->b.values || !g->output) return QK_NULL_POINTER;
  if (!is_size(g->m) || !is_size(g->n) || !is_size(g->k)) return QK_BAD_SIZE;
  if (!is_known(&g->a) || !is_known(&g->b) || !is_flag(g->accumulate)) return QK_BAD_SPEC;
  if (!is_size(g->output_stride) || g->output_stride < g->n) return QK_BAD_SIZE;
  if (is_misaligned(g->output)) return QK_MISALIGNED;
  const byte_range output = range_of(g->output, g->m, g->output_stride, g->n, sizeof *g->output);
  qk_status status = check_operand(&g->a, g->m, g->k, output);
  if (status == QK_OK) status = check_operand(&g->b, g->k, g->n, output);
  if (status == QK_OK) status = check_vector(g->row_scale, g->m, output);
  if (status == QK_OK) status = check_vector(g->column_scale, g->n, output);
  if (status == QK_OK) status = check_vector(g->bias, g->n, output);
  return status;
}
