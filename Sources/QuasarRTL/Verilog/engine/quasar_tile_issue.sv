// Issues the steps of tiles to the array, one a cycle, and keeps the drain free for each.
//
// A walk offers its next tile: steps S, beats q of its drain, and whether what it reads is there. Tile y follows tile x with
//   a_y = max(a_x + S_x, a_x + S_x + q_x − S_y, ready_y)
// where a is the cycle of a tile's first step: the drain of x ends at the latest when the sums of y arrive. `debt` is
// what is left until a_x + S_x + q_x; y may start in the next cycle when that leaves at most S_y.
//
// A tile that is offered in cycle t with `offer_ready` has its first step in cycle t + 1; `taken` is high in cycle t. `step`
// counts 0…S − 1. `idle` is high when no step is left and the debt is paid: a_x + S_x + q_x is over.
module quasar_tile_issue #(
  parameter integer STEP_BITS = 12,
  parameter integer BEAT_BITS = 12
) (
  input  logic                 clk,
  input  logic                 reset,
  input  logic                 offer_ready,
  input  logic [STEP_BITS-1:0] offer_steps,  // at least 1
  input  logic [BEAT_BITS-1:0] offer_beats,
  output logic                 taken,
  output logic                 valid,
  output logic                 first,
  output logic                 last,
  output logic [STEP_BITS-1:0] step,
  output logic                 idle
);
  localparam integer DEBT_BITS = (STEP_BITS > BEAT_BITS ? STEP_BITS : BEAT_BITS) + 1;

  logic [STEP_BITS-1:0] left;  // steps of the tile after this one
  logic [DEBT_BITS-1:0] debt, offered_steps, offered_beats;
  logic is_paid;
  assign offered_steps = {{(DEBT_BITS - STEP_BITS){1'b0}}, offer_steps};
  assign offered_beats = {{(DEBT_BITS - BEAT_BITS){1'b0}}, offer_beats};
  assign last = valid & left == {STEP_BITS{1'b0}};
  assign is_paid = debt <= offered_steps + {{(DEBT_BITS-1){1'b0}}, 1'b1};
  assign taken = offer_ready & is_paid & (last | ~valid);
  assign idle = ~valid & debt == {DEBT_BITS{1'b0}};

  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      debt <= {DEBT_BITS{1'b0}};
    end else if (taken) begin
      valid <= 1'b1;
      debt <= offered_steps + offered_beats;
    end else begin
      valid <= valid & ~last;
      if (debt != {DEBT_BITS{1'b0}}) debt <= debt - {{(DEBT_BITS-1){1'b0}}, 1'b1};
    end
    if (taken) begin
      first <= 1'b1;
      step <= {STEP_BITS{1'b0}};
      left <= offer_steps - {{(STEP_BITS-1){1'b0}}, 1'b1};
    end else if (valid) begin
      first <= 1'b0;
      step <= step + {{(STEP_BITS-1){1'b0}}, 1'b1};
      left <= left - {{(STEP_BITS-1){1'b0}}, 1'b1};
    end
  end

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && taken === 1'b1) begin
    assert (offer_steps != 0 && offer_beats != 0) else $fatal(1, "a tile of %0d steps and %0d beats", offer_steps, offer_beats);
  end
`endif
endmodule
