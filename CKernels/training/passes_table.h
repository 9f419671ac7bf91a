// All bodies of the row passes and their table: passes8.c and passes16.c define QK_LANES and the table's name QK_PASSES.
#include "passes.h"
#include "../elementwise/lanes.h"
#include "code_passes.h"
#include "gradient_passes.h"
#include "norm_gradient.h"
#include "attention_passes.h"

const qk_block_passes QK_PASSES = {
  .lanes = QK_LANES, .values_to_codes = values_to_codes, .add_branch = add_branch,
  .norm_to_codes = norm_to_codes, .norm_statistics = norm_statistics, .norm_backward = norm_backward,
  .prepare_gradient = prepare_gradient, .round_rows = round_rows, .round_columns = round_columns,
  .cut_gradient = cut_gradient, .sum_rows = sum_rows, .soften = soften,
  .score_gradients = score_gradients, .scale_columns = scale_columns,
};
