// Operands of a weight gradient: for every leaf of rows a pair of panels, and the scales of the gradient's columns.
#ifndef QK_WEIGHT_OPERANDS_H
#define QK_WEIGHT_OPERANDS_H

#include "block_memory.h"
#include "ckernels/gradient.h"

typedef struct qk_weight_operands {
  qk_gradient_form form;
  size_t leaf_count, outputs, inputs;
  uint8_t *gradient, *input;
  size_t gradient_step, input_step;  ///< bytes from one leaf to the next
  float *scale;                      ///< [leaves][outputs]
  int32_t *sums;                     ///< [leaves][outputs] of gradient codes
  qk_gradient_leaf *leaves;
} qk_weight_operands;

/// Takes the memory of `leaf_count` leaves of at most `rows` rows.
static inline qk_weight_operands qk_take_operands(qk_memory *memory, qk_gradient_form form, size_t leaf_count, size_t rows,
                                                  size_t outputs, size_t inputs) {
  qk_weight_operands o = {
    .form = form, .leaf_count = leaf_count, .outputs = outputs, .inputs = inputs,
    .gradient_step = qk_gradient_panel_bytes(form, rows, outputs), .input_step = qk_gradient_panel_bytes(form, rows, inputs),
  };
  o.gradient = qk_take(memory, leaf_count * o.gradient_step);
  o.input = qk_take(memory, leaf_count * o.input_step);
  o.scale = qk_take(memory, leaf_count * outputs * sizeof(float));
  o.sums = qk_take(memory, leaf_count * outputs * sizeof(int32_t));
  o.leaves = qk_take(memory, leaf_count * sizeof *o.leaves);
  return o;
}

/// The places of the operands of one leaf.
typedef struct qk_leaf_operands {
  uint8_t *gradient, *input;
  float *scale;
  int32_t *sums;
} qk_leaf_operands;

/// The place of leaf `leaf`, entered for the product with `rows` rows.
static inline qk_leaf_operands qk_operands_of(const qk_weight_operands *o, size_t leaf, size_t rows) {
  const qk_leaf_operands own = {
    .gradient = o->gradient + leaf * o->gradient_step, .input = o->input + leaf * o->input_step,
    .scale = o->scale + leaf * o->outputs, .sums = o->sums + leaf * o->outputs,
  };
  o->leaves[leaf] = (qk_gradient_leaf){
    .rows = (int32_t)rows, .gradient = own.gradient, .scale = own.scale,
    .sums = o->form == QK_GRADIENT_BYTES ? own.sums : NULL, .input = own.input,
  };
  return own;
}

/// The place where the panels of a leaf will be written.
static inline qk_fetch_range qk_gradient_place(const qk_weight_operands *o, size_t leaf) {
  return (qk_fetch_range){ o->gradient + leaf * o->gradient_step, o->gradient_step };
}

static inline qk_fetch_range qk_input_place(const qk_weight_operands *o, size_t leaf) {
  return (qk_fetch_range){ o->input + leaf * o->input_step, o->input_step };
}

/// The product of all leaves times `factor`, dense; inputs are codes minus `input_zero`.
static inline qk_weight_gradient qk_weight_gradient_of(const qk_weight_operands *o, int input_unsigned, int32_t input_zero,
                                                       float factor, float *output) {
  return (qk_weight_gradient){
    .form = o->form, .leaf_count = (int32_t)o->leaf_count, .outputs = (int32_t)o->outputs, .inputs = (int32_t)o->inputs,
    .input_offset = qk_gradient_offset(o->form, input_unsigned, input_zero), .leaves = o->leaves, .factor = factor,
    .output = output, .output_stride = o->inputs,
  };
}

#endif
