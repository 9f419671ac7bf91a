// clamp((value + 2^(S−1)) >> S, lo, hi) with S = shift_less_one + 1 in 1…47; 4 cycles, arithmetic shift.
//
// (v + 2^(S−1)) >> S = ((v >> (S−1)) + 1) >> 1, so no wide rounding adder. The shift by S − 1 goes in steps of
// 16, 4 and 1; each step keeps only the bits that can still reach the result and notes in `over` whether a
// dropped bit differed from the sign. t = v >> (S−1) has OUT_BITS + 1 bits when `over` is 0; when it is 1,
// t ≥ 2^OUT_BITS or t < −2^OUT_BITS, and the result is beyond (or on) hi or lo whatever the dropped bits were.
// lo and hi are signed OUT_BITS numbers; cycle 3 is when the value that came in cycle 0 needs them.
module quasar_round_clamp #(
  parameter integer VALUE_BITS = 64,
  parameter integer OUT_BITS = 8
) (
  input  logic                  clk,
  input  logic [VALUE_BITS-1:0] value,           // cycle 0
  input  logic [5:0]            shift_less_one,  // cycle 0
  input  logic [OUT_BITS-1:0]   lo,              // cycle 3
  input  logic [OUT_BITS-1:0]   hi,              // cycle 3
  output logic [OUT_BITS-1:0]   out              // cycle 4
);
  localparam integer T = OUT_BITS + 1;
  localparam integer FINE = T + 3;    // before the last step, 0…3 left to shift
  localparam integer MIDDLE = T + 15; // before the second step, 0…15 left
  localparam integer WIDE = VALUE_BITS > MIDDLE + 32 ? VALUE_BITS : MIDDLE + 32;

  logic [WIDE-1:0] v0, r0;
  logic [MIDDLE-1:0] v1, r1;
  logic [FINE-1:0] v2, r2;
  logic [5:0] s0;
  logic [3:0] s1;
  logic [1:0] s2;
  logic over1, over2, over3;

  generate
    if (WIDE > VALUE_BITS) begin : gen_extend
      assign v0 = {{WIDE-VALUE_BITS{value[VALUE_BITS-1]}}, value};
    end else begin : gen_whole
      assign v0 = value;
    end
  endgenerate
  assign s0 = shift_less_one;
  // Ones where a bit differs from the sign.
  assign r0 = v0 ^ {WIDE{v0[WIDE-1]}};
  assign r1 = v1 ^ {MIDDLE{v1[MIDDLE-1]}};
  assign r2 = v2 ^ {FINE{v2[FINE-1]}};

  // `over` keeps the sign of the value in the top bit of what is kept.
  always_ff @(posedge clk) begin
    case (s0[5:4])
      2'd0: begin
        v1 <= {v0[WIDE-1], v0[MIDDLE-2:0]};
        over1 <= |r0[WIDE-1:MIDDLE-1];
      end
      2'd1: begin
        v1 <= {v0[WIDE-1], v0[MIDDLE+14:16]};
        over1 <= |r0[WIDE-1:MIDDLE+15];
      end
      default: begin
        v1 <= {v0[WIDE-1], v0[MIDDLE+30:32]};
        over1 <= |r0[WIDE-1:MIDDLE+31];
      end
    endcase
    s1 <= s0[3:0];
  end

  always_ff @(posedge clk) begin
    case (s1[3:2])
      2'd0: begin
        v2 <= {v1[MIDDLE-1], v1[FINE-2:0]};
        over2 <= over1 | |r1[MIDDLE-1:FINE-1];
      end
      2'd1: begin
        v2 <= {v1[MIDDLE-1], v1[FINE+2:4]};
        over2 <= over1 | |r1[MIDDLE-1:FINE+3];
      end
      2'd2: begin
        v2 <= {v1[MIDDLE-1], v1[FINE+6:8]};
        over2 <= over1 | |r1[MIDDLE-1:FINE+7];
      end
      default: begin
        v2 <= v1[MIDDLE-1:12];
        over2 <= over1;
      end
    endcase
    s2 <= s1[1:0];
  end

  logic signed [T-1:0] t;
  logic signed [T:0] t_plus_one;
  logic signed [T-1:0] rounded;
  logic negative3, over_now;
  assign t = s2 == 2'd0 ? {v2[FINE-1], v2[T-2:0]}
           : s2 == 2'd1 ? {v2[FINE-1], v2[T-1:1]}
           : s2 == 2'd2 ? {v2[FINE-1], v2[T:2]} : v2[FINE-1:3];
  assign t_plus_one = {t[T-1], t} + {{T{1'b0}}, 1'b1};
  assign over_now = s2 == 2'd0 ? |r2[FINE-1:T-1] : s2 == 2'd1 ? |r2[FINE-1:T] : s2 == 2'd2 & |r2[FINE-1:T+1];
  always_ff @(posedge clk) begin
    rounded <= t_plus_one[T:1];
    over3 <= over2 | over_now;
    negative3 <= v2[FINE-1];
  end

  logic signed [T-1:0] low, high;
  assign low = {lo[OUT_BITS-1], lo};
  assign high = {hi[OUT_BITS-1], hi};
  always_ff @(posedge clk) begin
    if (over3 ? negative3 : rounded < low) out <= lo;
    else if (over3 || rounded > high) out <= hi;
    else out <= rounded[OUT_BITS-1:0];
  end
endmodule
