// The inverses of the queries of one context lane: query g·DRAIN + LANE of each of three blocks, g = 0, 1, …
//
// Two queries come at a time, an even one and the one behind it. With an even DRAIN all queries of a lane have the same
// parity; with an odd one groups take turns, and even and odd groups lie in two memories. The query is needed one cycle
// before its inverses; reading takes one cycle. See quasar_inverse_file.
module quasar_inverse_lane #(
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer LANE = 0,
  parameter integer QUERY_BITS = $clog2(TOKENS),
  parameter integer GROUP_BITS = TOKENS > DRAIN ? $clog2(TOKENS / DRAIN) : 1
) (
  input  logic                                  clk,
  input  logic [1:0]                            write_slot,      // cycle 0
  input  logic [QUERY_BITS-1:0]                 write_query,     // cycle 0, even
  input  logic [1:0]                            write,           // cycle 1
  input  logic [2*quasar_pkg::INVERSE_BITS-1:0] write_inverses,  // cycle 1
  input  logic [1:0]                            read_slot,       // cycle 0
  input  logic [GROUP_BITS-1:0]                 read_group,      // cycle 0
  output logic [quasar_pkg::INVERSE_BITS-1:0]   inverse          // cycle 1
);
  localparam integer BITS = quasar_pkg::INVERSE_BITS;
  localparam integer GROUPS = TOKENS / DRAIN;
  localparam integer BANKS = 1 + DRAIN % 2;

  logic [1:0] slot;
  logic [BANKS*BITS-1:0] found;
  logic odd_group;
  always_ff @(posedge clk) begin
    slot <= write_slot;
    odd_group <= read_group[0];
  end
  generate
    for (genvar b = 0; b < BANKS; b = b + 1) begin : gen_bank
      // Bank b holds groups b, b + BANKS, …, and their queries have this parity.
      localparam integer PARITY = (LANE + b) % 2;
      logic hit;
      logic [GROUP_BITS-1:0] group;
      logic [BITS-1:0] word;
      integer g;
      always_ff @(posedge clk) begin
        hit <= 1'b0;
        group <= {GROUP_BITS{1'b0}};
        for (g = b; g < GROUPS; g = g + BANKS)
          if ({{32-QUERY_BITS{1'b0}}, write_query} == g * DRAIN + LANE - PARITY) begin
            hit <= 1'b1;
            group <= g[GROUP_BITS-1:0];
          end
      end
      quasar_memory #(.BITS(BITS), .DEPTH(4 << GROUP_BITS)) bank (
        .clk(clk), .write(hit & write[PARITY]), .write_address({slot, group}),
        .write_word(write_inverses[PARITY*BITS +: BITS]), .read_address({read_slot, read_group}), .read_word(word));
      assign found[b*BITS +: BITS] = word;
    end
    if (BANKS == 2) begin : gen_turns
      assign inverse = odd_group ? found[BITS +: BITS] : found[0 +: BITS];
    end else begin : gen_one
      assign inverse = found;
    end
  endgenerate
endmodule
