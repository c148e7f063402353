typedef int yr_etcd_placeholder;
