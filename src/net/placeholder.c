typedef int yr_net_placeholder;
