// Argument checks of the integer layers. Nothing is written before a check has passed.
#include "validate.h"
#include "../pack/packed_layout.h"

static qk_status check_range(int32_t lo, int32_t hi, int32_t least, int32_t most) {
  return lo <= hi && lo >= least && hi <= most ? QK_OK : QK_CODE_OUT_OF_RANGE;
}

static qk_status check_requantisers(const qk_requantiser *requantisers, int32_t count) {
  for (int32_t n = 0; n < count; n++)
    if (qk_requantiser_check(requantisers[n]) != QK_OK) return QK_BAD_REQUANTISER;
  return QK_OK;
}

size_t qk_output_bytes(qk_output_form form) {
  switch (form) {
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_INT32:
    case QK_OUTPUT_FLOAT: return 4;
    case QK_OUTPUT_RESIDUAL:
    case QK_OUTPUT_INT16: return 2;
    case QK_OUTPUT_INT8:
    case QK_OUTPUT_UINT8:
    case QK_OUTPUT_TABLE:
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST: return 1;
  }
  return 0;
}

int qk_form_is_requantised(qk_output_form form) {
  return form != QK_OUTPUT_ACCUMULATOR && form != QK_OUTPUT_FLOAT && form != QK_OUTPUT_CODE_AND_REST;
}

static int is_scaled(qk_output_form form) {
  return form == QK_OUTPUT_FLOAT || qk_form_has_rest(form);
}

static qk_status check_gemm_pointers(const qk_gemm_arguments *a) {
  if (!a || !a->activations || !a->weights || !a->bias || !a->output) return QK_NULL_POINTER;
  if (qk_form_is_requantised(a->form) && !a->requantisers) return QK_NULL_POINTER;
  if (is_scaled(a->form) && !a->scales) return QK_NULL_POINTER;
  if (a->form == QK_OUTPUT_TABLE && !a->table) return QK_NULL_POINTER;
  if (a->form == QK_OUTPUT_RESIDUAL && !a->residual) return QK_NULL_POINTER;
  if (qk_form_has_rest(a->form) && !a->rest) return QK_NULL_POINTER;
  return QK_OK;
}

static qk_status check_gemm_range(const qk_gemm_arguments *a) {
  switch (a->form) {
    case QK_OUTPUT_INT8:
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST:
    case QK_OUTPUT_TABLE: return check_range(a->lo, a->hi, INT8_MIN, INT8_MAX);
    case QK_OUTPUT_UINT8: return check_range(a->lo, a->hi, 0, UINT8_MAX);
    case QK_OUTPUT_INT16: return check_range(a->lo, a->hi, INT16_MIN, INT16_MAX);
    case QK_OUTPUT_INT32: return check_range(a->lo, a->hi, INT32_MIN, INT32_MAX);
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_RESIDUAL:
    case QK_OUTPUT_FLOAT: return QK_OK;
  }
  return QK_BAD_SPEC;
}

/// First and one past the last byte of a matrix whose rows are `stride` bytes apart.
typedef struct byte_range {
  uintptr_t begin, end;
} byte_range;

static byte_range range_of(const void *base, int32_t rows, size_t stride, size_t width) {
  const uintptr_t begin = (uintptr_t)base;
  return (byte_range){ begin, begin + (size_t)(rows - 1) * stride + width };
}

static int overlap(byte_range a, byte_range b) { return a.begin < b.end && b.begin < a.end; }

/// 1 when what is written overlaps an operand that every form reads.
static int overlaps_operands(const qk_gemm_arguments *a, byte_range written) {
  const qk_packed_weights *w = a->weights;
  const size_t panel_bytes = (size_t)(w->slots8 + w->slots4 / 2) * (size_t)w->padded_depth;
  return overlap(written, range_of(a->activations, a->tokens, a->activation_stride, (size_t)w->depth))
      || overlap(written, range_of(w->panels, 1, 0, panel_bytes))
      || overlap(written, range_of(a->bias, 1, 0, (size_t)w->rows * sizeof *a->bias));
}

static qk_status check_gemm_buffers(const qk_gemm_arguments *a) {
  const qk_packed_weights *w = a->weights;
  const size_t element = qk_output_bytes(a->form), rows = (size_t)w->rows;
  if ((uintptr_t)a->output % element || (uintptr_t)w->panels % 64) return QK_MISALIGNED;
  const byte_range output = range_of(a->output, a->tokens, a->output_stride * element, rows * element);
  if (overlaps_operands(a, output)) return QK_BUFFERS_OVERLAP;
  if (qk_form_has_rest(a->form)) {
    const byte_range rest = range_of(a->rest, a->tokens, a->output_stride, rows);
    if (overlap(output, rest) || overlaps_operands(a, rest)) return QK_BUFFERS_OVERLAP;
  }
  if (a->form != QK_OUTPUT_RESIDUAL) return QK_OK;
  if ((uintptr_t)a->residual % sizeof *a->residual) return QK_MISALIGNED;
  if (a->residual == a->output && a->residual_stride == a->output_stride) return QK_OK;
  const byte_range residual = range_of(a->residual, a->tokens, a->residual_stride * 2, rows * 2);
  return overlap(output, residual) ? QK_BUFFERS_OVERLAP : QK_OK;
}

qk_status qk_rows_check(const qk_packed_weights *weights, const int32_t *bias, const qk_requantiser *requantisers) {
  const qk_status status = qk_packed_check(weights);
  if (status != QK_OK) return status;
  for (int32_t n = 0; n < weights->rows; n++)
    if (bias[n] <= -QK_BIAS_LIMIT || bias[n] >= QK_BIAS_LIMIT) return QK_BIAS_OUT_OF_RANGE;
  return requantisers ? check_requantisers(requantisers, weights->rows) : QK_OK;
}

/// 1 when the constants were made, and checked, for exactly these arrays.
static int belongs(const qk_gemm_arguments *a) {
  const qk_row_constants *c = a->constants;
  return c->panels == a->weights->panels && c->row_bias == a->bias
      && (!qk_form_is_requantised(a->form) || c->row_requantisers == a->requantisers)
      && (!is_scaled(a->form) || c->row_scales == a->scales);
}

qk_status qk_gemm_check(const qk_gemm_arguments *a) {
  qk_status status = check_gemm_pointers(a);
  if (status != QK_OK) return status;
  if (a->constants != NULL) {
    if (!belongs(a)) return QK_BAD_SIZE;
  } else {
    status = qk_rows_check(a->weights, a->bias, qk_form_is_requantised(a->form) ? a->requantisers : NULL);
    if (status != QK_OK) return status;
  }
  const size_t rows = (size_t)a->weights->rows;
  if (a->tokens < 1) return QK_BAD_SIZE;
  if (a->activation_stride < (size_t)a->weights->depth || a->output_stride < rows) return QK_BAD_SIZE;
  if (a->form == QK_OUTPUT_RESIDUAL && a->residual_stride < rows) return QK_BAD_SIZE;
  status = check_gemm_range(a);
  return status != QK_OK ? status : check_gemm_buffers(a);
}

qk_status qk_attention_check(const qk_attention_arguments *a) {
  if (!a || !a->qkv || !a->exponent_table || !a->output) return QK_NULL_POINTER;
  if (a->batch < 1 || a->heads < 1 || a->tokens < 1 || a->tokens > QK_MAX_TOKENS) return QK_BAD_SIZE;
  if (a->head_dimension < 1 || a->head_dimension > QK_MAX_HEAD_DIMENSION) return QK_BAD_SIZE;
  const int32_t bits = a->activation_bits;
  if (bits != 4 && bits != 6 && bits != 8) return QK_BAD_SPEC;
  // The row maximum must have the code 2^A − 1: then ΣP ≥ 1 and the division is defined.
  const int32_t first = ((1 << bits) - 1) << (16 - bits);
  if (a->exponent_table[0] != first) return QK_BAD_SPEC;
  // 2^−f is in (½, 1]: kernels rely on it to keep entries and probabilities in bytes.
  for (int32_t f = 1; f < QK_EXPONENT_TABLE_SIZE; f++)
    if (a->exponent_table[f] > first || a->exponent_table[f] < first / 2) return QK_BAD_SPEC;
  if (a->score.multiplier < 0) return QK_BAD_REQUANTISER;
  if (qk_requantiser_check(a->score) != QK_OK) return QK_BAD_REQUANTISER;
  if (qk_requantiser_check(a->output_requantiser) != QK_OK) return QK_BAD_REQUANTISER;
  return check_range(a->lo, a->hi, INT8_MIN, INT8_MAX);
}

qk_status qk_layer_norm_check(const qk_layer_norm_arguments *a) {
  if (!a || !a->input || !a->scales || !a->offsets || !a->output) return QK_NULL_POINTER;
  if (a->rows < 1 || a->width < 1 || a->width > QK_MAX_WIDTH) return QK_BAD_SIZE;
  if (a->input_stride < (size_t)a->width || a->output_stride < (size_t)a->width) return QK_BAD_SIZE;
  if (a->epsilon_code < 0 || a->epsilon_code >= (int64_t)1 << 40) return QK_CODE_OUT_OF_RANGE;
  const int64_t limit = (int64_t)1 << 62;
  for (int32_t i = 0; i < a->width; i++)
    if (a->offsets[i] <= -limit || a->offsets[i] >= limit) return QK_BIAS_OUT_OF_RANGE;
  const qk_status status = check_range(a->lo, a->hi, INT8_MIN, INT8_MAX);
  return status != QK_OK ? status : check_requantisers(a->scales, a->width);
}
