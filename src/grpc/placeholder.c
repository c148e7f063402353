typedef int yr_grpc_placeholder;
